import type { PreparedImage } from "../engine/generation.ts";
import type { ImageLayout, ImageProcessor, PixelRange } from "../models/model.ts";
import type { DecodedImage } from "../platform/platform.ts";
import { ImageError } from "./image-error.ts";
import { type ImageFile, type ImageFileOptions, readImageFile } from "./image-file.ts";
import { sniffMediaType } from "./media-type.ts";
import type { ImagePart, ChatMessage } from "./messages.ts";
import { type PartPosition, RequestError } from "./request-error.ts";

/** How images are read and decoded. */
export interface ImageOptions extends ImageFileOptions {
  /** Rejects bytes that are not an image of a supported type. */
  decodeImage(file: Blob): Promise<DecodedImage>;
  readonly maxPixels: number;
  /** Throws RangeError for an image that the device can't process. */
  checkLayout?(layout: ImageLayout): void;
}

/** Image types that not every platform decodes: if decoding fails, the file may still be valid. */
const RARE_TYPES = new Set([
  "image/heic",
  "image/tiff",
  "image/jp2",
  "image/jxl",
  "image/svg+xml",
  "image/avif",
]);

/**
 * Reads, decodes and lays out the images of a conversation, all at the same time. The first failure
 * stops the others.
 *
 * @returns the images in message order
 * @throws RequestError naming the content part that failed; the signal's reason when it is aborted
 */
export async function prepareImages(
  messages: readonly ChatMessage[],
  options: ImageOptions,
  processor: ImageProcessor,
  signal?: AbortSignal,
): Promise<PreparedImage[]> {
  const parts = imageParts(messages);
  for (const { part, position } of parts) {
    if (!part.image_url.pixels || processor.takesPixelLimits) continue;
    const why =
      "'min_pixels' and 'max_pixels' are not supported by this model; use 'detail' instead.";
    throw new RequestError("invalid_value", position, why);
  }
  const failure = new AbortController();
  const either = AbortSignal.any(signal ? [signal, failure.signal] : [failure.signal]);
  const prepare = async ({ image_url: { url, detail = "auto", pixels } }: ImagePart) => {
    const file = await readImageFile(url, options, either);
    const decoded = await decode(file, options);
    const layout = layOut(processor, decoded, detail, parts.length, pixels);
    checkLayout(layout, options);
    const key = await imageKey(file.bytes, layout);
    return { decoded, decodeAgain: () => decode(file, options), key, layout };
  };
  try {
    return await Promise.all(
      parts.map(({ part, position }) =>
        prepare(part).catch((error: unknown) => {
          if (!(error instanceof ImageError)) throw error;
          throw new RequestError(error.code, position, error.message, { cause: error });
        }),
      ),
    );
  } catch (error) {
    failure.abort();
    signal?.throwIfAborted();
    throw error;
  }
}

/** A key for what the model sees: a hash of the file and its layout. */
async function imageKey(file: BufferSource, layout: ImageLayout): Promise<string> {
  const text = (await sha256(file)) + JSON.stringify(layout);
  return sha256(new TextEncoder().encode(text));
}

async function sha256(bytes: BufferSource): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function imageParts(
  messages: readonly ChatMessage[],
): { part: ImagePart; position: PartPosition }[] {
  return messages.flatMap(({ content }, message) =>
    typeof content === "string"
      ? []
      : content.flatMap((contentPart, part) =>
          contentPart.type === "image_url"
            ? [{ part: contentPart, position: { message, part } }]
            : [],
        ),
  );
}

async function decode(file: ImageFile, options: ImageOptions): Promise<DecodedImage> {
  const sniffed = sniffMediaType(file.bytes);
  const type = sniffed ?? file.claimedType ?? "application/octet-stream";
  const unsupported = (cause?: unknown) =>
    new ImageError("unsupported_image_media_type", `Images of type ${type} are not supported.`, {
      cause,
    });
  if (!type.startsWith("image/") && type !== "application/octet-stream") throw unsupported();

  let image;
  try {
    image = await options.decodeImage(new Blob([file.bytes], { type }));
  } catch (cause) {
    if (cause instanceof RangeError) {
      throw new ImageError("image_too_large", cause.message, { cause });
    }
    if (RARE_TYPES.has(type)) throw unsupported(cause);
    const message = `The image can't be decoded: ${(cause as Error).message}`;
    throw new ImageError("image_parse_error", message, { cause });
  }
  const { width, height } = image;
  const size = `The image is ${width} x ${height} pixels`;
  if (width < 1 || height < 1) throw new ImageError("image_too_small", `${size}.`);
  if (width * height > options.maxPixels) {
    const message = `${size}, but at most ${options.maxPixels} pixels are allowed.`;
    throw new ImageError("image_too_large", message);
  }
  return image;
}

function checkLayout(layout: ImageLayout, options: ImageOptions): void {
  try {
    options.checkLayout?.(layout);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ImageError("image_too_large", cause.message, { cause });
  }
}

function layOut(
  processor: ImageProcessor,
  { width, height }: DecodedImage,
  detail: "auto" | "low" | "high",
  images: number,
  pixels: PixelRange | undefined,
) {
  try {
    return processor.layout(width, height, detail, images, pixels);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    // A processor rejects only images with too few pixels along one side.
    const message = `The image is ${width} x ${height} pixels: ${cause.message}`;
    throw new ImageError("image_too_small", message, { cause });
  }
}
