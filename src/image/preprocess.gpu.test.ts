import { describe, expect, test } from "vitest";
import cases from "../../e2e/goldens/preprocess/cases.json";
import settings from "../../e2e/goldens/preprocess/settings.json";
import { goldenPicture } from "../../tests/pictures.ts";
import { testGpu } from "../../tests/support.ts";
import { bufferOf } from "../gpu/tensor.ts";
import type { ImageProcessor } from "../models/model.ts";
import { smolvlmProcessor } from "../models/smolvlm-processor.ts";
import { type PatchSource, preparePatches } from "./preprocess.ts";

/** Divides the tiles of all settings, so that every pixel is in a patch. */
const PATCH_SIZE = 16;

function processorOf(family: string): ImageProcessor {
  const { preprocessor_config, image_seq_len } = settings[family as keyof typeof settings];
  return smolvlmProcessor({
    "config.json": { vision_config: { image_size: 512, patch_size: PATCH_SIZE } },
    "preprocessor_config.json": preprocessor_config,
    "processor_config.json": { image_seq_len },
  });
}

/** Where pixel (c, y, x) of a tile `edge` wide stands among its patches. */
function patchIndex(edge: number, c: number, y: number, x: number): number {
  const p = PATCH_SIZE;
  const index = Math.floor(y / p) * (edge / p) + Math.floor(x / p);
  return ((index * 3 + c) * p + (y % p)) * p + (x % p);
}

/** Each tile's values by themselves `[P, 3 * p²]`. */
async function* readTiles(source: PatchSource, edge: number): AsyncGenerator<Float32Array> {
  const gpu = await testGpu();
  const into = gpu.tensor("patches", [(edge / PATCH_SIZE) ** 2, 3 * PATCH_SIZE ** 2]);
  for (let tile = 0; tile < source.tiles; tile++) {
    source.write(tile, 1, into);
    yield await gpu.read(into);
  }
  gpu.release(bufferOf(into));
}

describe("pixel values are the reference's", () => {
  test.each(cases)("$family, $image", async (expected) => {
    const gpu = await testGpu();
    const processor = processorOf(expected.family);
    const picture = await goldenPicture(expected.image);
    const layout = processor.layout(picture.width, picture.height, "auto");
    const before = gpu.bytes;
    const source = await preparePatches(gpu, { picture, layout }, processor);
    const [, tiles, , edge] = expected.shape as [number, number, number, number, number];
    expect(source.tiles).toBe(tiles);

    const pixels = 3 * edge * edge;
    const sampled: number[] = [];
    let [sum, squares, tile] = [0, 0, 0];
    for await (const values of readTiles(source, edge)) {
      for (let i = 0; i < values.length; i++) {
        const value = values[i] as number;
        sum += value;
        squares += value * value;
      }
      for (const index of expected.indices) {
        const i = index - tile * pixels;
        if (i < 0 || i >= pixels) continue;
        const y = Math.floor(i / edge) % edge;
        sampled.push(values[patchIndex(edge, Math.floor(i / edge ** 2), y, i % edge)] as number);
      }
      tile++;
    }
    source.release();
    // Only the normalisation's constants stay.
    expect(gpu.bytes - before).toBeLessThanOrEqual(32);

    const tolerance = expected.image.endsWith(".jpg") ? 1.01 / 255 / 0.5 : 1e-5;
    expect(sampled).toHaveLength(expected.values.length);
    const errors = sampled.map((value, i) => Math.abs(value - (expected.values[i] as number)));
    expect(Math.max(...errors)).toBeLessThan(tolerance);
    const count = tiles * pixels;
    const mean = sum / count;
    const variance = (squares - count * mean ** 2) / (count - 1);
    expect(Math.abs(mean - expected.mean)).toBeLessThan(tolerance);
    expect(Math.abs(Math.sqrt(variance) - expected.std)).toBeLessThan(tolerance);
  });
});

describe("preparePatches", () => {
  test("tiles come out the same alone and together, with other pictures between", async () => {
    const gpu = await testGpu();
    const processor = processorOf("smolvlm-2.2b");
    const picture = await goldenPicture("tall.png");
    const layout = processor.layout(picture.width, picture.height, "auto");
    const other = await goldenPicture("wide.png");
    const [source, another] = await Promise.all([
      preparePatches(gpu, { picture, layout }, processor),
      preparePatches(
        gpu,
        { picture: other, layout: processor.layout(other.width, other.height, "low") },
        processor,
      ),
    ]);
    const P = (384 / PATCH_SIZE) ** 2;
    const together = gpu.tensor("patches", [5 * P, 3 * PATCH_SIZE ** 2]);
    source.write(1, 4, together);
    another.release();
    const all = await gpu.read(together);
    let tile = 0;
    for await (const values of readTiles(source, 384)) {
      if (tile > 0) {
        const from = (tile - 1) * values.length;
        expect(values.findIndex((value, i) => value !== all[from + i])).toBe(-1);
      }
      tile++;
    }
    expect(() => source.write(4, 2, together)).toThrow("2 tiles from 4 on, of 5");
    source.release();
    gpu.release(bufferOf(together));
  });

  test("a picture that has a resize's size is kept until its tiles are released", async () => {
    const gpu = await testGpu();
    const processor = processorOf("smolvlm-256m-500m");
    const before = gpu.bytes;
    const bytes = new Uint8Array(2048 * 1024 * 4).fill(255);
    const picture = { width: 2048, height: 1024, source: bytes };
    const layout = processor.layout(2048, 1024, "auto");
    const source = await preparePatches(gpu, { picture, layout }, processor);
    for await (const values of readTiles(source, 512)) {
      expect(values.every((value) => value === 1)).toBe(true);
    }
    source.release();
    expect(gpu.bytes - before).toBeLessThanOrEqual(32);
  });

  test("frees everything when a picture is refused", async () => {
    const gpu = await testGpu();
    const processor = processorOf("smolvlm-256m-500m");
    const before = gpu.bytes;
    const picture = { width: 10, height: 10, source: new Uint8Array(1) };
    const layout = processor.layout(10, 10, "auto");
    await expect(preparePatches(gpu, { picture, layout }, processor)).rejects.toThrow(RangeError);
    expect(gpu.bytes).toBe(before);
  });
});
