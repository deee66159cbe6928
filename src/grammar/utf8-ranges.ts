import { type Range, complement } from "./expression.ts";

/** The range of each byte of a character, first byte first. */
export type ByteRanges = readonly Range[];

const UTF8 = new TextEncoder();

/**
 * Converts ranges of characters to ranges of UTF-8 bytes. A character is in `ranges` exactly if its
 * bytes are in the byte ranges of one result. Surrogates are left out.
 */
export function utf8Ranges(ranges: readonly Range[]): ByteRanges[] {
  return complement(complement(ranges)).flatMap(([first, last]) => splitByLength(first, last));
}

/** The last code point with 1, 2, 3 and 4 bytes. */
const LAST_OF_LENGTH = [0x7f, 0x7ff, 0xffff, 0x10ffff];

function splitByLength(first: number, last: number): ByteRanges[] {
  const limit = LAST_OF_LENGTH.find((limit) => first <= limit) as number;
  if (last > limit) return [...splitByLength(first, limit), ...splitByLength(limit + 1, last)];
  return splitByByte([...bytesOf(first)], [...bytesOf(last)]);
}

function bytesOf(codePoint: number): Uint8Array {
  return UTF8.encode(String.fromCodePoint(codePoint));
}

/** Splits a range until all bytes after the first difference cover 0x80 to 0xbf completely. */
function splitByByte(first: number[], last: number[]): ByteRanges[] {
  const [low, ...lowRest] = first as [number, ...number[]];
  const [high, ...highRest] = last as [number, ...number[]];
  const rest = lowRest.length;
  if (rest === 0) return [[[low, high]]];
  if (low === high) return splitByByte(lowRest, highRest).map((more) => [[low, low], ...more]);
  const lowest = new Array<number>(rest).fill(0x80);
  const highest = new Array<number>(rest).fill(0xbf);
  if (lowRest.some((byte) => byte !== 0x80)) {
    const next = [low + 1, ...lowest];
    return [...splitByByte(first, [low, ...highest]), ...splitByByte(next, last)];
  }
  if (highRest.some((byte) => byte !== 0xbf)) {
    const before = [high - 1, ...highest];
    return [...splitByByte(first, before), ...splitByByte([high, ...lowest], last)];
  }
  return [[[low, high], ...lowest.map((): Range => [0x80, 0xbf])]];
}
