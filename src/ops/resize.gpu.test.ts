import { describe, expect, test } from "vitest";
import { random, testGpu } from "../../tests/support.ts";
import { bufferOf } from "../gpu/tensor.ts";
import type { Filter } from "./resize-taps.ts";
import { resize } from "./resize.ts";
import type { Rectangle } from "./unpack-image.ts";

type Rgba = { data: Uint8Array; width: number; height: number };

const CHANNELS = 4;

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** "nearest" has no kernel function; its taps are tested without a GPU. */
const FILTERS: Record<Exclude<Filter, "nearest">, [support: number, (x: number) => number]> = {
  bilinear: [1, (x) => Math.max(1 - x, 0)],
  bicubic: [
    2,
    (x) => (x < 1 ? 1.5 * x ** 3 - 2.5 * x ** 2 + 1 : -0.5 * (x ** 3 - 5 * x ** 2 + 8 * x - 4)),
  ],
  lanczos: [3, (x) => (x < 3 ? sinc(x) * sinc(x / 3) : 0)],
};

/** The rows of `image`, resized to `target` rows as torchvision resizes them. */
function resizeRows(
  { data, width, height }: Rgba,
  target: number,
  filter: keyof typeof FILTERS,
): Rgba {
  const [support, kernel] = FILTERS[filter];
  const scale = height / target;
  const stretch = Math.max(scale, 1);
  const runs = Array.from({ length: target }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const low = Math.max(Math.trunc(centre - support * stretch + 0.5), 0);
    const high = Math.min(Math.trunc(centre + support * stretch + 0.5), height);
    const weights = Array.from({ length: high - low }, (_, k) =>
      kernel(Math.min(Math.abs((low + k - centre + 0.5) / stretch), support)),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return { low, weights: weights.map((w) => w / sum) };
  });
  const largest = Math.max(...runs.flatMap(({ weights }) => weights));
  let bits = 0;
  while (bits < 22 && Math.trunc(0.5 + largest * 2 ** (bits + 1)) < 2 ** 15) bits++;

  const out = new Uint8Array(target * width * CHANNELS);
  runs.forEach(({ low, weights }, i) => {
    const fixed = weights.map((w) => Math.trunc(w * 2 ** bits + Math.sign(w) * 0.5));
    for (let j = 0; j < width * CHANNELS; j++) {
      const sum = fixed.reduce(
        (total, w, k) => total + w * (data[(low + k) * width * CHANNELS + j] as number),
        2 ** (bits - 1),
      );
      out[i * width * CHANNELS + j] = Math.max(0, Math.min(255, Math.floor(sum / 2 ** bits)));
    }
  });
  return { data: out, width, height: target };
}

function transpose({ data, width, height }: Rgba): Rgba {
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * CHANNELS;
      out.set(data.subarray(from, from + CHANNELS), (x * height + y) * CHANNELS);
    }
  }
  return { data: out, width: height, height: width };
}

function reference(image: Rgba, width: number, height: number, filter: keyof typeof FILTERS): Rgba {
  let resized = image;
  if (width !== image.width) resized = transpose(resizeRows(transpose(resized), width, filter));
  if (height !== image.height) resized = resizeRows(resized, height, filter);
  return resized;
}

function noise(width: number, height: number): Rgba {
  const data = Uint8Array.from(random(width * height * CHANNELS), (v) => (v + 1) * 128);
  for (let i = 3; i < data.length; i += CHANNELS) data[i] = 255;
  return { data, width, height };
}

describe.each(["bilinear", "bicubic", "lanczos"] as const)("%s", (filter) => {
  test.each([
    { from: [40, 30], to: [80, 60] },
    { from: [64, 48], to: [16, 12] },
    { from: [37, 53], to: [101, 17] },
    { from: [53, 37], to: [17, 101] },
    { from: [300, 5], to: [7, 5] },
    { from: [5, 300], to: [5, 7] },
    { from: [1, 1], to: [9, 4] },
    { from: [33, 47], to: [1, 1] },
    { from: [1, 29], to: [3, 31] },
    { from: [900, 3], to: [901, 2] },
  ] as const)("$from to $to", async ({ from, to }) => {
    const gpu = await testGpu();
    const image = noise(from[0], from[1]);
    const words = new Uint32Array(image.data.buffer);
    const source = gpu.tensor("image", [image.height, image.width], "u32", words);
    const before = gpu.bytes;
    const y = await resize(gpu, source, to[0], to[1], filter);
    expect(y.shape).toEqual([to[1], to[0]]);
    const bytes = new Uint8Array(await gpu.readBytes(y));
    const expected = reference(image, to[0], to[1], filter).data;
    const wrong = expected.findIndex((byte, i) => bytes[i] !== byte);
    expect(wrong, `byte ${wrong}: ${bytes[wrong]}, expected ${expected[wrong]}`).toBe(-1);
    gpu.release(bufferOf(y));
    expect(gpu.bytes).toBe(before);
  });
});

test("the same size returns the image itself", async () => {
  const gpu = await testGpu();
  const image = gpu.tensor("image", [3, 5], "u32");
  expect(await resize(gpu, image, 5, 3, "lanczos")).toBe(image);
});

/** A part of an image. Pixels beyond the image are `colour`. */
function cut(image: Rgba, part: Rectangle, colour: readonly number[]): Rgba {
  const data = new Uint8Array(part.width * part.height * CHANNELS);
  for (let i = 0; i < part.width * part.height; i++) {
    const [x, y] = [part.x + (i % part.width), part.y + Math.floor(i / part.width)];
    const inside = x >= 0 && x < image.width && y >= 0 && y < image.height;
    const from = (y * image.width + x) * CHANNELS;
    const pixel = image.data.subarray(from, from + CHANNELS);
    data.set(inside ? pixel : [...colour, 255], i * CHANNELS);
  }
  return { data, width: part.width, height: part.height };
}

describe("a part that reaches beyond the image, with a background", () => {
  test.each([
    { from: [60, 20], part: [0, -20, 60, 60], to: [24, 24] },
    { from: [20, 61], part: [-20, 0, 61, 61], to: [90, 90] },
    { from: [9, 5], part: [0, -2, 9, 9], to: [9, 9] },
    { from: [40, 30], part: [7, 11, 20, 13], to: [33, 8] },
    { from: [12, 3], part: [-50, -1, 100, 70], to: [5, 6] },
    { from: [40, 30], part: [3, 4, 9, 8], to: [9, 8] },
  ] as const)("$part of $from to $to", async ({ from, part: [x, y, width, height], to }) => {
    const gpu = await testGpu();
    const image = noise(from[0], from[1]);
    const words = new Uint32Array(image.data.buffer);
    const source = gpu.tensor("image", [image.height, image.width], "u32", words);
    const [colour, part] = [[127, 3, 250], { x, y, width, height }];
    const background = 127 | (3 << 8) | (250 << 16);
    const resized = await resize(gpu, source, to[0], to[1], "bicubic", { part, background });
    const bytes = new Uint8Array(await gpu.readBytes(resized));
    const expected = reference(cut(image, part, colour), to[0], to[1], "bicubic").data;
    const wrong = expected.findIndex((byte, i) => bytes[i] !== byte);
    expect(wrong, `byte ${wrong}: ${bytes[wrong]}, expected ${expected[wrong]}`).toBe(-1);
  });
});

describe("a crop is the part of the whole result", () => {
  test.each([
    { from: [50, 2], to: [900, 36], crop: [432, 0, 36, 36] },
    { from: [61, 260], to: [40, 170], crop: [0, 65, 40, 40] },
    { from: [40, 30], to: [40, 30], crop: [3, 4, 20, 10] },
    { from: [90, 7], to: [9, 7], crop: [1, 1, 7, 5] },
  ] as const)("$crop of $from to $to", async ({ from, to, crop: [x, y, width, height] }) => {
    const gpu = await testGpu();
    const image = noise(from[0], from[1]);
    const words = new Uint32Array(image.data.buffer);
    const source = gpu.tensor("image", [image.height, image.width], "u32", words);
    const crop = { x, y, width, height };
    const resized = await resize(gpu, source, to[0], to[1], "lanczos", { crop });
    expect(resized.shape).toEqual([height, width]);
    const bytes = new Uint8Array(await gpu.readBytes(resized));
    const expected = cut(reference(image, to[0], to[1], "lanczos"), crop, []).data;
    expect(expected.findIndex((byte, i) => bytes[i] !== byte)).toBe(-1);
  });
});
