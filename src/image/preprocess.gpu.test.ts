import { describe, expect, test } from "vitest";
import cases from "../../e2e/goldens/preprocess/cases.json";
import settings from "../../e2e/goldens/preprocess/settings.json";
import { FAMILIES } from "../../tests/families.ts";
import { goldenImage } from "../../tests/images.ts";
import { random, testGpu } from "../../tests/support.ts";
import { Gpu } from "../gpu/device.ts";
import { bufferOf } from "../gpu/tensor.ts";
import type { ImageLayout, ImageProcessor, PatchSource, Resize } from "../models/model.ts";
import { blockOrder } from "../models/patch-blocks.ts";
import { ImageSizeError } from "./image-limits.ts";
import { preparePatches } from "./preprocess.ts";

/** Divides the tiles in all settings, so that every pixel is in a patch. */
const PATCH_SIZE = 16;

function processorOf(family: string): ImageProcessor {
  const published: { preprocessor_config: object; image_seq_len?: number } =
    settings[family as keyof typeof settings];
  const { preprocessor_config, image_seq_len } = published;
  const { size, crop_size, max_image_size, ...own } = preprocessor_config as {
    crop_size?: { height: number };
    size?: { height?: number };
    max_image_size?: { longest_edge: number };
    patch_size?: number;
  };
  const image_size = crop_size?.height ?? size?.height ?? max_image_size?.longest_edge ?? 512;
  // PaliGemma's settings count the tokens, which are patches of 14 pixels.
  const patch_size = own.patch_size ?? (family === "paligemma" ? 14 : PATCH_SIZE);
  const files = {
    "config.json": { vision_config: { image_size, patch_size } },
    "preprocessor_config.json": preprocessor_config,
    // With the default scale_factor of 2.
    "processor_config.json": image_seq_len
      ? { image_seq_len: (image_size / patch_size) ** 2 / 4 }
      : {},
  };
  const row = FAMILIES.find(({ published }) => family in published);
  return (row ?? expect.fail(`no processor of ${family}`)).processor(files);
}

/**
 * Where the reference's value stands among the patches of all tiles: it keeps most families' images
 * in one piece, `[tiles, 3, edge, edge]` (Llama 3.2's are of a canvas that is one tile here), Qwen's in
 * patches in our order, and LFM2-VL's in patches row by row.
 */
function patchIndex(processor: ImageProcessor, layout: ImageLayout, index: number): number {
  const { grid, rows, cols, attendedKeys } = layout;
  const { patchSize: p, merge, channelsLast } = processor;
  if (channelsLast) {
    const values = 3 * p * p;
    const place = blockOrder({ grid }, merge).findIndex(
      ({ y, x }) => y * grid[1] + x === Math.floor(index / values),
    );
    return place * values + (index % values);
  }
  if (merge > 1) return index;
  const [down, across] = attendedKeys === undefined ? [1, 1] : [rows || 1, cols || 1];
  const [height, width] = [(grid[0] * p) / down, (grid[1] * p) / across];
  const x = index % width;
  const y = Math.floor(index / width) % height;
  const c = Math.floor(index / (width * height)) % 3;
  const tile = Math.floor(index / (width * height * 3));
  const part = tile % (down * across);
  const line = Math.floor(part / across) * height + y;
  const column = (part % across) * width + x;
  const piece = Math.floor(tile / (down * across));
  const row = (piece * grid[0] + Math.floor(line / p)) * grid[1] + Math.floor(column / p);
  return ((row * 3 + c) * p + (line % p)) * p + (column % p);
}

/** Each tile's patches by themselves `[P, 3 * frames * p²]`. */
async function* readTiles(
  source: PatchSource,
  { patchSize, frames }: ImageProcessor,
  { grid }: ImageLayout,
): AsyncGenerator<Float32Array> {
  const gpu = await testGpu();
  const into = gpu.tensor("patches", [grid[0] * grid[1], 3 * frames * patchSize ** 2]);
  for (let tile = 0; tile < source.tiles; tile++) {
    source.write(tile, 1, into);
    yield await gpu.read(into);
  }
  gpu.release(bufferOf(into));
}

/**
 * Settings with which every image is compared: one of each filter, with tiles, with blocks of patches,
 * with patches that end in their channels, and with a background. Other settings change sizes, tiles and
 * constants alone; the tests of their processors compare the layouts.
 */
const WHOLE = ["smolvlm-256m-500m-one-tile", "qwen2_vl", "llava_onevision", "lfm2_vl"];
const SOME_IMAGES = ["wide.png", "odd.png"];

const compared = cases.filter(
  ({ family, image }) => WHOLE.includes(family) || SOME_IMAGES.includes(image),
);

describe("pixel values are the reference's", () => {
  test.each(compared)("$family, $image", async (expected) => {
    const gpu = await testGpu();
    const processor = processorOf(expected.family);
    const image = await goldenImage(expected.image);
    const layout = processor.layout(image.width, image.height, "auto");
    const before = gpu.bytes;
    const source = await preparePatches(gpu, { decoded: image, layout }, processor);
    const count = expected.shape.reduce((product, length) => product * length, 1);
    // LFM2-VL's reference fills up with zeros behind the patches, Llama 3.2's with tiles of zeros.
    const patches = layout.grid[0] * layout.grid[1];
    const isFilled = processor.channelsLast || layout.attendedKeys !== undefined;
    const own = isFilled ? patches * 3 * processor.patchSize ** 2 : count;

    const wanted = expected.indices.map((index) =>
      index < own ? patchIndex(processor, layout, index) : NaN,
    );
    const sampled = wanted.map((at) => (isNaN(at) ? 0 : NaN));
    let [sum, squares, read] = [0, 0, 0];
    for await (const values of readTiles(source, processor, layout)) {
      for (let i = 0; i < values.length; i++) {
        const value = values[i] as number;
        sum += value;
        squares += value * value;
      }
      for (const [i, at] of wanted.entries()) {
        if (at >= read && at < read + values.length) sampled[i] = values[at - read] as number;
      }
      read += values.length;
    }
    source.release();
    expect(read).toBe(own);
    // Only the normalisation's constants stay.
    expect(gpu.bytes - before).toBeLessThanOrEqual(32);

    const level = processor.rescale / Math.min(...processor.std);
    const tolerance = expected.image.endsWith(".jpg") ? 1.01 * level : 1e-5;
    expect(sampled).toHaveLength(expected.values.length);
    const errors = expected.values.map((value, i) => Math.abs(value - (sampled[i] as number)));
    expect(Math.max(...errors)).toBeLessThan(tolerance);
    const mean = sum / count;
    const variance = (squares - count * mean ** 2) / (count - 1);
    expect(Math.abs(mean - expected.mean)).toBeLessThan(tolerance);
    expect(Math.abs(Math.sqrt(variance) - expected.std)).toBeLessThan(tolerance);
  });
});

describe("an image of one colour stays so", () => {
  test.each([
    { family: "qwen2_vl", width: 1, height: 1 },
    { family: "qwen3_vl", width: 3, height: 600 },
    { family: "qwen2_vl", width: 3000, height: 15 },
    { family: "qwen3_vl", width: 3001, height: 1999 },
  ])("$family, $width x $height", async ({ family, width, height }) => {
    const gpu = await testGpu();
    const processor = processorOf(family);
    const colour = [200, 17, 90, 255];
    const bytes = new Uint8Array(width * height * 4);
    new Uint32Array(bytes.buffer).fill(
      new Uint32Array(Uint8Array.from(colour).buffer)[0] as number,
    );
    const layout = processor.layout(width, height, "low");
    const image = { width, height, source: bytes };
    const source = await preparePatches(gpu, { decoded: image, layout }, processor);

    const { patchSize, frames, rescale, mean, std } = processor;
    const expected = mean.map((m, c) => ((colour[c] as number) * rescale - m) / (std[c] as number));
    const perChannel = frames * patchSize ** 2;
    for await (const values of readTiles(source, processor, layout)) {
      expect(values.length).toBe(layout.tokenCount * processor.merge ** 2 * 3 * perChannel);
      const wrong = values.findIndex((value, i) => {
        const channel = Math.floor(i / perChannel) % 3;
        return !(Math.abs(value - (expected[channel] as number)) < 1e-5);
      });
      expect(wrong).toBe(-1);
    }
    source.release();
  });
});

describe("an image that is too large for a binding", () => {
  /** A device that binds fewer bytes and covers fewer rows with a dispatch than it could. */
  async function limitedGpu(bytes: number, groups = 65_535): Promise<Gpu> {
    const { device, adapter } = await testGpu();
    const limits = {
      maxStorageBufferBindingSize: bytes,
      maxComputeWorkgroupsPerDimension: groups,
      maxTextureDimension2D: 8192,
      maxBufferSize: 2 ** 28,
    };
    const limited = new Proxy(device, {
      get(target, name) {
        if (name === "limits") return limits;
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    return new Gpu(limited, adapter);
  }

  const [width, height] = [301, 217];
  const words = Uint32Array.from(random(width * height), (v) => (v + 1) * 2 ** 31);
  const decoded = { width, height, source: new Uint8Array(words.buffer) };
  const processor = processorOf("llava");
  const whole = processor.layout(width, height, "auto");
  const tiles = [{ from: 1, x: 0, y: 0, width: 64, height: 48 }];
  const to = { from: 0, width: 64, height: 48, filter: "bicubic" } as const;

  async function allPatches(gpu: Gpu, layout: ImageLayout): Promise<Float32Array> {
    const before = gpu.bytes;
    const source = await preparePatches(gpu, { decoded, layout }, processor);
    const values = [];
    for await (const tile of readTiles(source, processor, layout)) values.push(...tile);
    source.release();
    expect(gpu.bytes - before).toBeLessThanOrEqual(32);
    return Float32Array.from(values);
  }

  test.each<[string, Partial<Resize>]>([
    ["the whole", {}],
    ["a crop", { width: 90, height: 70, crop: { x: 13, y: 9, width: 64, height: 48 } }],
    ["a part", { part: { x: 20, y: 30, width: 150, height: 77 } }],
    ["a part that reaches beyond it", { part: { x: -9, y: -42, width: 400, height: 301 } }],
    ["a part of its width", { part: { x: 0, y: 40, width, height: 48 } }],
  ])("comes out the same: %s", async (_, changes) => {
    const layout = {
      ...whole,
      resizes: [{ ...to, ...changes }],
      tiles,
      grid: [3, 4] as const,
      background: 0x7f3300,
    };
    const expected = await allPatches(await testGpu(), layout);
    expect(expected.length).toBe(64 * 48 * 3);
    for (const [bytes, groups] of [
      [width * height * 4 - 1],
      [64 * height * 4], // bands of 46 rows
      [2 ** 27, 12], // bands of 48 rows
    ] as const) {
      const banded = await allPatches(await limitedGpu(bytes, groups), layout);
      expect(banded.findIndex((value, i) => value !== expected[i])).toBe(-1);
    }
  });

  test("is refused by its class where a resize or a tile does not fit either", async () => {
    const refused = async (bytes: number, layout: Partial<ImageLayout>) => {
      const gpu = await limitedGpu(bytes);
      const image = { decoded, layout: { ...whole, tiles, resizes: [to], ...layout } };
      const error: unknown = await preparePatches(gpu, image, processor).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(ImageSizeError);
      expect(gpu.bytes).toBeLessThanOrEqual(32); // the normalisation's constants
      return (error as Error).message;
    };
    const rows = 64 * height * 4;
    expect(await refused(rows - 4, {})).toContain(
      `The image is 301 x 217 pixels. To process it takes ${rows} bytes in a buffer`,
    );
    await refused(rows, { resizes: [{ ...to, height: 218 }] });
    await refused(width * 4 - 4, { resizes: [{ ...to, width: 1, height: 1 }] });
    await refused(width * height * 4 - 4, { tiles: [{ from: 0, x: 0, y: 0, width, height }] });
  });
});

describe("preparePatches", () => {
  test("tiles come out the same alone and together, with other images between", async () => {
    const gpu = await testGpu();
    const processor = processorOf("smolvlm-2.2b");
    const image = await goldenImage("tall.png");
    const layout = processor.layout(image.width, image.height, "auto");
    const other = await goldenImage("wide.png");
    const [source, another] = await Promise.all([
      preparePatches(gpu, { decoded: image, layout }, processor),
      preparePatches(
        gpu,
        { decoded: other, layout: processor.layout(other.width, other.height, "low") },
        processor,
      ),
    ]);
    const P = layout.grid[0] * layout.grid[1];
    const together = gpu.tensor("patches", [5 * P, 3 * PATCH_SIZE ** 2]);
    source.write(1, 4, together);
    another.release();
    const all = await gpu.read(together);
    let tile = 0;
    for await (const values of readTiles(source, processor, layout)) {
      if (tile > 0) {
        const from = (tile - 1) * values.length;
        expect(values.findIndex((value, i) => value !== all[from + i])).toBe(-1);
      }
      tile++;
    }
    expect(() => source.write(4, 2, together)).toThrow("tiles 4 to 5, expected 0 to 4");
    source.release();
    gpu.release(bufferOf(together));
  });

  test("an image that has a resize's size is kept until its tiles are released", async () => {
    const gpu = await testGpu();
    const processor = processorOf("smolvlm-256m-500m");
    const before = gpu.bytes;
    const bytes = new Uint8Array(2048 * 1024 * 4).fill(255);
    const image = { width: 2048, height: 1024, source: bytes };
    const layout = processor.layout(2048, 1024, "auto");
    const source = await preparePatches(gpu, { decoded: image, layout }, processor);
    for await (const values of readTiles(source, processor, layout)) {
      expect(values.every((value) => value === 1)).toBe(true);
    }
    source.release();
    expect(gpu.bytes - before).toBeLessThanOrEqual(32);
  });

  test("frees everything when an image is refused", async () => {
    const gpu = await testGpu();
    const processor = processorOf("smolvlm-256m-500m");
    const before = gpu.bytes;
    const image = { width: 10, height: 10, source: new Uint8Array(1) };
    const layout = processor.layout(10, 10, "auto");
    await expect(preparePatches(gpu, { decoded: image, layout }, processor)).rejects.toThrow(
      RangeError,
    );
    expect(gpu.bytes).toBe(before);
  });
});
