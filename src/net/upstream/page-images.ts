import { ImageError } from "../../chat/image-error.ts";
import { type ImageFileOptions, readImageFile } from "../../chat/image-file.ts";
import { sniffMediaType } from "../../chat/media-type.ts";
import { OpenAIError, badRequest } from "../../openai/errors.ts";

/** Where an image's URL stands in a request. */
interface ImageUrl {
  readonly url: string;
  /** Its path, such as `messages[0].content[1].image_url.url`. */
  readonly param: string;
  replace(url: string): void;
}

const LIMITS = { timeoutMs: 30_000, maxBytes: 50 * 2 ** 20 };

/**
 * Makes data URLs of the images that a page can read and a server can't, or not for sure: `blob:`
 * URLs, relative ones, and the page's own origin's. Base64 without a URL becomes one too. All others
 * stay what they are.
 *
 * @param body a request's
 * @param base the page's URL
 * @returns the body with these images in it; undefined when there are none
 * @throws OpenAIError for an image that can't be read; the signal's reason when it is aborted
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
        // Such as the page that an app's server answers any unknown path with.
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

/** Both spellings of content parts: `image_url: { url }` in chats, `image_url` itself in responses. */
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

/** @returns undefined for what is relative, or no URL at all */
function parsed(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}

/** As many bytes at once as a call may have arguments. */
const CHUNK = 2 ** 15;

function base64(bytes: Uint8Array): string {
  let binary = "";
  for (let i = 0; i < bytes.length; i += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  }
  return btoa(binary);
}
