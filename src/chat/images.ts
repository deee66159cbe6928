import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { PreparedImage } from "../engine/generation.ts";
import type { ImageLayout, ImageProcessor } from "../models/model.ts";
import type { DecodedImage } from "../platform/platform.ts";
import { type ImageFile, type ImageFileOptions, readImageFile } from "./image-file.ts";
import { sniffMediaType } from "./media-type.ts";
import type { ImagePart, ChatMessage } from "./messages.ts";
import { RequestError } from "./request-error.ts";

/** How images are read and decoded. */
export interface ImageOptions extends ImageFileOptions {
  /** Rejects when the bytes are no image that it knows. */
  decodeImage(file: Blob): Promise<DecodedImage>;
  readonly maxPixels: number;
}

/** Image types that not every platform decodes; failing on one is not the file's fault. */
const RARE_TYPES = new Set([
  "image/heic",
  "image/tiff",
  "image/jxl",
  "image/svg+xml",
  "image/avif",
]);

/**
 * Reads, decodes and lays out the images of a conversation in message order, all at once; the
 * first failure stops the others.
 *
 * @throws RequestError naming the part that failed; the signal's reason when it is aborted
 */
export async function prepareImages(
  messages: readonly ChatMessage[],
  intake: ImageOptions,
  processor: ImageProcessor,
  signal?: AbortSignal,
): Promise<PreparedImage[]> {
  const parts = imageParts(messages);
  const failure = new AbortController();
  const either = AbortSignal.any(signal ? [signal, failure.signal] : [failure.signal]);
  try {
    return await Promise.all(
      parts.map(async ({ part, param }) => {
        const file = await readImageFile(part.image_url.url, param, intake, either);
        const decoded = await decode(file, param, intake);
        const { detail = "auto" } = part.image_url;
        const layout = layOut(processor, decoded, detail, parts.length, param);
        return { decoded, key: imageKey(file.bytes, layout), layout };
      }),
    );
  } catch (error) {
    failure.abort();
    signal?.throwIfAborted();
    throw error;
  }
}

/** Tells apart what the model sees: the file, and how it is cut. */
function imageKey(file: Uint8Array, layout: ImageLayout): string {
  const cut = utf8ToBytes(JSON.stringify(layout));
  return bytesToHex(sha256.create().update(file).update(cut).digest());
}

function imageParts(messages: readonly ChatMessage[]): { part: ImagePart; param: string }[] {
  return messages.flatMap(({ content }, i) =>
    typeof content === "string"
      ? []
      : content.flatMap((part, j) =>
          part.type === "image_url"
            ? [{ part, param: `messages[${i}].content[${j}].image_url.url` }]
            : [],
        ),
  );
}

async function decode(file: ImageFile, param: string, intake: ImageOptions): Promise<DecodedImage> {
  const sniffed = sniffMediaType(file.bytes);
  const type = sniffed ?? file.claimedType ?? "application/octet-stream";
  const unsupported = (cause?: unknown) =>
    new RequestError("unsupported_image_media_type", param, `Images can't be ${type}.`, { cause });
  if (!type.startsWith("image/") && type !== "application/octet-stream") throw unsupported();

  let image;
  try {
    image = await intake.decodeImage(new Blob([file.bytes], { type }));
  } catch (cause) {
    if (cause instanceof RangeError) {
      throw new RequestError("image_too_large", param, cause.message, { cause });
    }
    if (RARE_TYPES.has(type)) throw unsupported(cause);
    const message = `The image does not decode: ${(cause as Error).message}`;
    throw new RequestError("image_parse_error", param, message, { cause });
  }
  const { width, height } = image;
  const size = `The image is ${width} x ${height} pixels`;
  if (width < 1 || height < 1) throw new RequestError("image_too_small", param, `${size}.`);
  if (width * height > intake.maxPixels) {
    const message = `${size}, more than ${intake.maxPixels} in all.`;
    throw new RequestError("image_too_large", param, message);
  }
  return image;
}

function layOut(
  processor: ImageProcessor,
  { width, height }: DecodedImage,
  detail: "auto" | "low" | "high",
  images: number,
  param: string,
) {
  try {
    return processor.layout(width, height, detail, images);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    // A processor refuses only what has too few pixels along one side for it.
    const message = `The image is ${width} x ${height} pixels: ${cause.message}`;
    throw new RequestError("image_too_small", param, message, { cause });
  }
}
