import { expect, test } from "vitest";
import { sniffMediaType } from "./media-type.ts";

// Node's and a browser's decoders of "latin1" differ in the bytes 0x80 to 0x9f.
test.each([
  ["image/png", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["image/jpeg", [0xff, 0xd8, 0xff, 0xe0]],
  ["application/gzip", [0x1f, 0x8b, 8]],
  ["video/webm", [0x1a, 0x45, 0xdf, 0xa3]],
  ["text/html", [0xef, 0xbb, 0xbf, ...new TextEncoder().encode(" <!DOCTYPE html>")]],
])("a browser recognises %s", (type, bytes) => {
  expect(sniffMediaType(Uint8Array.from(bytes))).toBe(type);
});
