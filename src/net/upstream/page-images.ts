import { ImageError } from "../../chat/image-error.ts";
import { type ImageFileOptions, readImageFile } from "../../chat/image-file.ts";
import { sniffMediaType } from "../../chat/media-type.ts";
import { OpenAIError, badRequest } from "../../openai/errors.ts";

/** The position of an image's URL in a request. */
interface ImageUrl {
  readonly url: string;
  /** The path of the URL, such as `messages[0].content[1].image_url.url`. */
  readonly param: string;
  replace(url: string): void;
}

const LIMITS = { timeoutMs: 30_000, maxBytes: 50 * 2 ** 20 };

/**
 * Replaces the images that only this page can surely read by data URLs: `blob:` URLs, relative URLs,
 * and URLs of the page's own origin. Bare base64 becomes a data URL too. Other URLs stay unchanged.
 *
 * @param body the body of a request
 * @param base the page's URL
 * @returns the changed body; undefined when nothing has to change
 * @throws OpenAIError for an image that can't be read; the signal's reason when it aborts
 */
export async function inlinePageImages(
  body: object,
  base: string,
  fetch: ImageFileOptions["fetch"],
  signal: AbortSignal,
): Promise<object | undefined> {
  const changed = structuredClone(body) as { messages?: unknown; input?: unknown };
  const urls = [...imageUrls(changed.messages, "messages"), ...imageUrls(changed.input, "input")];
  const images = urls.filter(({ url }) => isOfPage(url, base));
  if (images.length === 0) return undefined;
  const failure = new AbortController();
  const reading = { ...LIMITS, fetch, baseUrl: base };
  const either = AbortSignal.any([signal, failure.signal]);
  try {
    await Promise.all(
      images.map(async ({ url, param, replace }) => {
        const { bytes, claimedType } = await readImageFile(url, reading, either).catch((error) => {
          throw error instanceof ImageError ? badRequest(error, param) : error;
        });
        const type = sniffMediaType(bytes) ?? claimedType ?? "application/octet-stream";
        // Many servers answer an unknown path with the app's HTML page.
        if (!type.startsWith("image/") && type !== "application/octet-stream") {
          const message = `Images of type ${type} are not supported.`;
          const code = "unsupported_image_media_type";
          throw new OpenAIError(400, message, { code, param });
        }
        replace(`data:${type};base64,${base64(bytes)}`);
      }),
    );
  } catch (error) {
    failure.abort();
    signal.throwIfAborted();
    throw error;
  }
  return changed;
}

/** Finds both spellings: `image_url: { url }` in chat messages, a string `image_url` in responses. */
function* imageUrls(value: unknown, path: string): Generator<ImageUrl> {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) yield* imageUrls(item, `${path}[${i}]`);
  } else if (typeof value === "object" && value !== null) {
    const part = value as Record<string, unknown>;
    for (const [key, inner] of Object.entries(part)) {
      const param = `${path}.${key}`;
      if (key !== "image_url") yield* imageUrls(inner, param);
      else if (typeof inner === "string") {
        yield { url: inner, param, replace: (url) => (part.image_url = url) };
      } else if (typeof (inner as { url?: unknown } | null)?.url === "string") {
        const holder = inner as { url: string };
        yield { url: holder.url, param: `${param}.url`, replace: (url) => (holder.url = url) };
      }
    }
  }
}

function isOfPage(url: string, base: string): boolean {
  const address = parsed(url);
  if (!address) return true;
  if (address.protocol === "blob:") return true;
  return /^https?:$/.test(address.protocol) && address.origin === new URL(base).origin;
}

/** @returns undefined when `url` is relative or invalid */
function parsed(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}

/** Bytes per call of `String.fromCharCode`. Engines limit the number of arguments. */
const CHUNK = 2 ** 15;

function base64(bytes: Uint8Array): string {
  let binary = "";
  for (let i = 0; i < bytes.length; i += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  }
  return btoa(binary);
}
