import type { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

const DECODERS = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
} as const;

/** The codings that `decoded` knows, for an `Accept-Encoding` header. */
export const CODINGS = "gzip, deflate, br";

/** Thrown for a coding that is not known. */
export class UnknownCodingError extends Error {
  override name = "UnknownCodingError";
}

/**
 * Undoes the codings of a body. A failure of the body, or malformed data, fails the result.
 *
 * @param contentEncoding the value of the header, such as "gzip"
 * @throws UnknownCodingError naming the coding
 */
export function decoded(body: Readable, contentEncoding = ""): Readable {
  const codings = contentEncoding.split(",").map((coding) => coding.trim().toLowerCase());
  let stream = body;
  for (const coding of codings.reverse()) {
    if (coding === "" || coding === "identity") continue;
    if (!Object.hasOwn(DECODERS, coding)) {
      throw new UnknownCodingError(`the content encoding ${coding} is not supported`);
    }
    const decoder = DECODERS[coding as keyof typeof DECODERS]();
    stream.once("error", (error) => decoder.destroy(error));
    stream = stream.pipe(decoder);
  }
  return stream;
}
