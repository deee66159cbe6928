import { deflateSync } from "node:zlib";
import type { Page } from "playwright";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeNodeImage } from "../src/platform/node-image.ts";
import { sharedBrowser } from "./browser.ts";

type Chunk = readonly [type: string, data: readonly number[] | Buffer];

/** A PNG of `depth` bits and colour type `type`, with one row of pixels and the given chunks. */
function png(
  width: number,
  depth: number,
  type: number,
  row: readonly number[],
  ...chunks: readonly Chunk[]
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(1, 4);
  header[8] = depth;
  header[9] = type;
  const all: Chunk[] = [
    ["IHDR", header],
    ...chunks,
    ["IDAT", deflateSync(Buffer.from([0, ...row]))],
    ["IEND", []],
  ];
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), ...all.map(encodeChunk)]);
}

function encodeChunk([type, data]: Chunk): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), Buffer.from(data)]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([ends.subarray(0, 4), named, ends.subarray(4)]);
}

function crc32(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

const words = (...values: readonly number[]) => values.flatMap((v) => [v >> 8, v & 255]);
const ramp = (count: number, most: number) =>
  Array.from({ length: count }, (_, i) => Math.floor((i * 7919 + i * i * 31) % (most + 1)));
const RGB = ramp(48, 255);
const RGBA = ramp(64, 255);
const PALETTE: Chunk = ["PLTE", [10, 20, 30, 40, 50, 60, 70, 80, 90, 250, 240, 230]];
const raw = (bytes: readonly number[], channels: 3 | 4) =>
  sharp(Buffer.from(bytes), { raw: { width: 8, height: 2, channels } });
/** More than one block of a JPEG, so that black differs between blocks. */
const inks = () =>
  sharp(Buffer.from(ramp(24 * 16 * 4, 255)), { raw: { width: 24, height: 16, channels: 4 } })
    .pipelineColourspace("cmyk")
    .toColourspace("cmyk");

const IMAGES: readonly (readonly [name: string, make: () => Buffer | Promise<Buffer>])[] = [
  ["RGB", () => png(16, 8, 2, RGB)],
  ["RGBA", () => png(16, 8, 6, RGBA)],
  ["RGB of 16 bits", () => png(16, 16, 2, words(...ramp(48, 65_535)))],
  ["RGBA of 16 bits", () => png(16, 16, 6, words(...ramp(64, 65_535)))],
  ["grey of 1 bit", () => png(8, 1, 0, [0b1011_0010])],
  ["grey of 2 bits", () => png(4, 2, 0, [0b0001_1011])],
  ["grey of 4 bits", () => png(4, 4, 0, [0x07, 0x9f])],
  ["grey of 16 bits", () => png(64, 16, 0, words(...ramp(64, 65_535)))],
  ["grey and alpha", () => png(4, 8, 4, [0, 0, 100, 128, 200, 255, 255, 1])],
  ["a palette", () => png(4, 2, 3, [0b0001_1011], PALETTE)],
  ["a palette with alpha", () => png(4, 8, 3, [0, 1, 2, 3], PALETTE, ["tRNS", [255, 128, 0]])],
  ["a transparent RGB", () => png(2, 8, 2, [1, 2, 3, 4, 5, 6], ["tRNS", [0, 1, 0, 2, 0, 3]])],
  ["a transparent grey", () => png(2, 8, 0, [7, 9], ["tRNS", [0, 7]])],
  ["a gamma", () => png(16, 8, 2, RGB, ["gAMA", [0, 1, 0x86, 0xa0]])],
  ["another colour profile", () => raw(RGB, 3).withIccProfile("p3").png().toBuffer()],
  ["an EXIF orientation", () => raw(RGB, 3).withMetadata({ orientation: 6 }).png().toBuffer()],
  ["a JPEG of four inks", () => inks().jpeg({ chromaSubsampling: "4:4:4" }).toBuffer()],
  [
    "a turned one",
    () =>
      inks()
        .withExif({ IFD0: { Orientation: "6" } })
        .jpeg()
        .toBuffer(),
  ],
  ["lossless WebP", () => raw(RGBA, 4).webp({ lossless: true, exact: true }).toBuffer()],
];

let page: Page;
beforeAll(async () => {
  page = await (await sharedBrowser()).newPage();
});
afterAll(() => page.close());

/** An image as a page decodes it: width, height, and RGBA with straight alpha. */
function decodeInPage(image: Buffer): Promise<number[]> {
  return page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    // The same options as in src/platform/decode-image.ts.
    const bitmap = await createImageBitmap(new Blob([bytes]), {
      imageOrientation: "from-image",
      premultiplyAlpha: "none",
      colorSpaceConversion: "none",
    });
    const gl = new OffscreenCanvas(1, 1).getContext("webgl2") as WebGL2RenderingContext;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
    const { FRAMEBUFFER, COLOR_ATTACHMENT0, TEXTURE_2D } = gl;
    gl.framebufferTexture2D(FRAMEBUFFER, COLOR_ATTACHMENT0, TEXTURE_2D, texture, 0);
    const { width, height } = bitmap;
    const rgba = new Uint8Array(width * height * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, rgba);
    return [width, height, ...rgba];
  }, image.toString("base64"));
}

test.each(IMAGES)("%s decodes in Node as in the browser, bit for bit", async (_, make) => {
  const bytes = await make();
  const { width, height, source } = await decodeNodeImage(new Blob([new Uint8Array(bytes)]));
  expect([width, height, ...(source as Uint8Array)]).toEqual(await decodeInPage(bytes));
});
