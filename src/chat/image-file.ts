import { ImageError } from "./image-error.ts";
import { sniffMediaType } from "./media-type.ts";

/** How image files are read. */
export interface ImageFileOptions {
  readonly fetch: typeof fetch;
  /** The base of relative URLs. Without it, relative URLs are errors. */
  readonly baseUrl?: string;
  /** Maximum duration of a download, in milliseconds. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** An image file, not decoded. */
export interface ImageFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The media type that the URL or the server states. */
  readonly claimedType: string | undefined;
}

/**
 * Reads the image file of an `image_url.url`.
 *
 * @param url an http(s), data, blob or relative URL, or base64 without a URL
 * @throws ImageError when it can't be read; the signal's reason when it is aborted
 */
export async function readImageFile(
  url: string,
  options: ImageFileOptions,
  signal: AbortSignal,
): Promise<ImageFile> {
  const file =
    readDataUrl(url.trimStart(), options) ??
    readBareBase64(url, options) ??
    (await download(url, options, signal));
  if (file.bytes.length === 0) {
    throw new ImageError("empty_image_file", "The image is empty: it has 0 bytes.");
  }
  return file;
}

function readDataUrl(url: string, options: ImageFileOptions): ImageFile | undefined {
  const header = /^data:([^,]*),/i.exec(url);
  if (!header) {
    if (!/^data:/i.test(url)) return undefined;
    throw new ImageError("invalid_base64_image", "The data URL has no comma.");
  }
  const [type = "", ...parameters] = (header[1] as string).split(";").map((text) => text.trim());
  const data = url.slice(header[0].length);
  // RFC 2397 has it last, but clients also write a charset after it.
  const base64 = parameters.some((parameter) => parameter.toLowerCase() === "base64");
  const bytes = base64
    ? decodeBase64(percentDecodeText(data), options)
    : percentDecode(data, options);
  return { bytes, claimedType: type.toLowerCase() || undefined };
}

/**
 * Reads base64 without a URL. A relative URL may consist of the same characters, so the base64 must
 * begin like an image file or be longer than a path would be.
 */
function readBareBase64(url: string, options: ImageFileOptions): ImageFile | undefined {
  const start = url.trimStart().slice(0, 64);
  if (!/^[A-Za-z0-9+/_-]{16}/.test(start)) return undefined;
  const looksLikeImage = sniffMediaType(startOfBase64(start))?.startsWith("image/");
  const tooLongForPath = url.length > 2048 && /^[A-Za-z0-9+/_\s-]+=*\s*$/.test(url);
  if (!looksLikeImage && !tooLongForPath) return undefined;
  return { bytes: decodeBase64(url, options), claimedType: undefined };
}

function startOfBase64(text: string): Uint8Array {
  const usable = /^[A-Za-z0-9+/_-]*/.exec(text)?.[0] ?? "";
  return bytesOfBase64(usable.slice(0, usable.length - (usable.length % 4)));
}

function decodeBase64(text: string, { maxBytes }: ImageFileOptions): Uint8Array<ArrayBuffer> {
  if (text.length * 0.75 > maxBytes * 1.1) throw tooLarge(maxBytes);
  let bytes;
  try {
    bytes = bytesOfBase64(text);
  } catch (cause) {
    const message = "The image is not valid base64.";
    throw new ImageError("invalid_base64_image", message, { cause });
  }
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  return bytes;
}

/** Decodes base64 of both alphabets. @throws DOMException for a character of neither */
function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Decodes base64 of a URL, where `+`, `/` and `=` may be escaped. */
function percentDecodeText(text: string): string {
  return text.includes("%") ? new TextDecoder().decode(percentDecoded(text)) : text;
}

function percentDecode(text: string, { maxBytes }: ImageFileOptions) {
  const bytes = percentDecoded(text);
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  return bytes;
}

/** Percent-decodes text: `%XX` is a byte, any other character its UTF-8 bytes. */
function percentDecoded(text: string): Uint8Array<ArrayBuffer> {
  const input = new TextEncoder().encode(text);
  const output = new Uint8Array(input.length);
  let length = 0;
  for (let i = 0; i < input.length; i++) {
    const escape = input[i] === 0x25 ? String.fromCharCode(...input.subarray(i + 1, i + 3)) : "";
    const escaped = /^[0-9A-Fa-f]{2}$/.test(escape);
    output[length++] = escaped ? parseInt(escape, 16) : (input[i] as number);
    if (escaped) i += 2;
  }
  return output.slice(0, length);
}

async function download(
  url: string,
  options: ImageFileOptions,
  signal: AbortSignal,
): Promise<ImageFile> {
  const failed = (why: string, cause?: unknown) =>
    new ImageError("failed_to_download_image", `The image can't be read: ${why}`, {
      cause,
    });
  const address = URL.parse(url, options.baseUrl);
  if (!address) throw failed("'url' is neither a URL nor base64.");
  if (!["http:", "https:", "blob:"].includes(address.protocol)) {
    throw failed(`${address.protocol} URLs are not supported; send a data: URL instead.`);
  }
  const timeout = AbortSignal.timeout(options.timeoutMs);
  try {
    const response = await options.fetch(address.href, {
      signal: AbortSignal.any([signal, timeout]),
    });
    if (!response.ok) {
      void response.body?.cancel();
      throw failed(`the server answered ${response.status}.`);
    }
    const type = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
    return { bytes: await readBody(response, options.maxBytes), claimedType: type };
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof ImageError) throw cause;
    if (timeout.aborted)
      throw failed(`the download took longer than ${options.timeoutMs} ms.`, cause);
    throw failed(`${(cause as Error).message}.`, cause);
  }
}

async function readBody(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    size += read.value.length;
    if (size > maxBytes) {
      void reader?.cancel(); // stops the download
      throw tooLarge(maxBytes);
    }
    parts.push(read.value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function tooLarge(maxBytes: number): ImageError {
  const message = `The image is larger than ${maxBytes} bytes.`;
  return new ImageError("image_too_large", message);
}
