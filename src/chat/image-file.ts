import { ImageError } from "./image-error.ts";
import { sniffMediaType } from "./media-type.ts";

/** How images are read. */
export interface ImageFileOptions {
  readonly fetch: typeof fetch;
  /** What relative URLs are relative to; without it there are none. */
  readonly baseUrl?: string;
  /** A download that takes longer fails. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** An image file as it was given, undecoded. */
export interface ImageFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The media type that its URL or server claims. */
  readonly claimedType: string | undefined;
}

/**
 * Reads what an `image_url.url` means: http(s), data, blob or relative URL, or bare base64.
 *
 * @throws ImageError when it can't be read; the signal's reason when it is aborted
 */
export async function readImageFile(
  url: string,
  reading: ImageFileOptions,
  signal: AbortSignal,
): Promise<ImageFile> {
  const file =
    readDataUrl(url, reading) ??
    readBareBase64(url, reading) ??
    (await download(url, reading, signal));
  if (file.bytes.length === 0) {
    throw new ImageError("empty_image_file", "The image is empty: it has 0 bytes.");
  }
  return file;
}

function readDataUrl(url: string, reading: ImageFileOptions): ImageFile | undefined {
  const header = /^data:([^,]*),/i.exec(url);
  if (!header) {
    if (!/^data:/i.test(url)) return undefined;
    throw new ImageError("invalid_base64_image", "The data URL has no comma.");
  }
  const [type = "", ...parameters] = (header[1] as string).split(";").map((text) => text.trim());
  const data = url.slice(header[0].length);
  const base64 = parameters.at(-1)?.toLowerCase() === "base64";
  const bytes = base64
    ? decodeBase64(percentDecodeText(data), reading)
    : percentDecode(data, reading);
  return { bytes, claimedType: type.toLowerCase() || undefined };
}

/**
 * Base64 without a URL around it. A relative URL can consist of the same characters, so it must
 * begin like an image file, or be longer than a path would be.
 */
function readBareBase64(url: string, reading: ImageFileOptions): ImageFile | undefined {
  const start = url.trimStart().slice(0, 64);
  if (!/^[A-Za-z0-9+/_-]{16}/.test(start)) return undefined;
  const looksLikeImage = sniffMediaType(startOfBase64(start))?.startsWith("image/");
  const tooLongForPath = url.length > 2048 && /^[A-Za-z0-9+/_\s-]+=*\s*$/.test(url);
  if (!looksLikeImage && !tooLongForPath) return undefined;
  return { bytes: decodeBase64(url, reading), claimedType: undefined };
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

/** Decodes both alphabets; throws when a character belongs to neither. */
function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Base64 in a URL may have its `+`, `/` and `=` escaped. */
function percentDecodeText(text: string): string {
  return text.includes("%") ? new TextDecoder("latin1").decode(percentDecoded(text)) : text;
}

function percentDecode(text: string, { maxBytes }: ImageFileOptions) {
  const bytes = percentDecoded(text);
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  return bytes;
}

/** URL percent-decoding: `%XX` is a byte, everything else its UTF-8. */
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
  reading: ImageFileOptions,
  signal: AbortSignal,
): Promise<ImageFile> {
  const failed = (why: string, cause?: unknown) =>
    new ImageError("failed_to_download_image", `The image can't be read: ${why}`, {
      cause,
    });
  const address = URL.parse(url, reading.baseUrl);
  if (!address) throw failed("its url is neither a URL nor base64.");
  if (!["http:", "https:", "blob:"].includes(address.protocol)) {
    throw failed(`${address.protocol} URLs are not read; send it as a data: URL.`);
  }
  const timeout = AbortSignal.timeout(reading.timeoutMs);
  try {
    const response = await reading.fetch(address.href, {
      signal: AbortSignal.any([signal, timeout]),
    });
    if (!response.ok) {
      void response.body?.cancel();
      throw failed(`its server answered ${response.status}.`);
    }
    const type = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
    return { bytes: await readBody(response, reading.maxBytes), claimedType: type };
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof ImageError) throw cause;
    if (timeout.aborted) throw failed(`it took longer than ${reading.timeoutMs} ms.`, cause);
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
      void reader?.cancel(); // the rest need not be downloaded
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
