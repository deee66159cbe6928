import { describe, expect, test } from "vitest";
import { random, testGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import { type Weight, type WeightFormat, weightBytes } from "../gpu/weight.ts";
import { allocateWeight } from "./format.ts";
import { fromBf16, fromF16, packWeight, toBf16, toF16 } from "./pack.ts";
import { type SourceType, writeWeightRows } from "./write.ts";

/** Rows as a checkpoint stores them, and the numbers that those bytes mean. */
function source(
  values: Float32Array,
  dtype: SourceType,
): { bytes: Uint8Array; values: Float32Array } {
  if (dtype === "F32") return { bytes: new Uint8Array(values.buffer), values };
  const [to, from] = dtype === "F16" ? [toF16, fromF16] : [toBf16, fromBf16];
  const halves = Uint16Array.from(values, to);
  return { bytes: new Uint8Array(halves.buffer), values: Float32Array.from(halves, from) };
}

/** The words of each part, slices joined. */
async function readParts(gpu: Gpu, weight: Weight): Promise<Uint32Array[]> {
  const parts: number[][] = [];
  for (const slice of weight.slices) {
    for (const [i, part] of slice.parts.entries()) {
      (parts[i] ??= []).push(...new Uint32Array(await gpu.readBytes(part)));
    }
  }
  return parts.map((words) => Uint32Array.from(words));
}

describe("writeWeightRows", () => {
  const formats: [WeightFormat, number][] = [
    ["f32", 32],
    ["f16", 32],
    ["bf16", 32],
    ["q8", 32],
    ["q4", 32],
    ["q4", 64],
  ];
  const sources: SourceType[] = ["F32", "F16", "BF16"];
  const cases = formats.flatMap(([format, block]) =>
    sources.flatMap((dtype) => [8, 64, 200, 216, 1096].map((D) => ({ format, block, dtype, D }))),
  );

  test.each(cases)("$dtype to $format/$block, rows of $D, bit for bit", async (c) => {
    const gpu = await testGpu();
    const O = 13;
    const { bytes, values } = source(random(O * c.D, c.D), c.dtype);
    const weight = allocateWeight(gpu, "w", O, c.D, c.format, { block: c.block });
    await writeWeightRows(gpu, weight, 0, O, bytes, c.dtype);
    const expected = packWeight(values, c.D, c.format, c.block);
    expect(await readParts(gpu, weight)).toEqual(expected);
  });

  test.each(formats)("%s/%i: rows in pieces, across slices", async (format, block) => {
    const gpu = await testGpu();
    const [O, D] = [50, 96];
    const { bytes, values } = source(random(O * D, 3), "BF16");
    const rowBytes = packWeight(values.subarray(0, D), D, format, block)[0]!.byteLength;
    const weight = allocateWeight(gpu, "w", O, D, format, { block, maxBytes: 7 * rowBytes });
    expect(weight.slices.map(({ rows }) => rows)).toEqual([7, 7, 7, 7, 7, 7, 7, 1]);
    // Out of order, without waiting, in several sizes.
    const cuts = [31, 50, 0, 9, 9, 31];
    await Promise.all(
      [0, 2, 4].map((i) => {
        const [begin, end] = cuts.slice(i, i + 2) as [number, number];
        const piece = bytes.subarray(begin * D * 2, end * D * 2);
        return writeWeightRows(gpu, weight, begin, end - begin, piece, "BF16");
      }),
    );
    expect(await readParts(gpu, weight)).toEqual(packWeight(values, D, format, block));
  });

  test("blocks of zeros, of one value, and of extremes", async () => {
    const gpu = await testGpu();
    const D = 32;
    const rows = [
      new Float32Array(D),
      new Float32Array(D).fill(-0.37),
      new Float32Array(D).fill(3e-5),
      random(D, 9).map((v) => v * 3e4),
      random(D, 9).map((v) => v * 1e-3),
    ];
    const values = Float32Array.from(rows.flatMap((row) => [...row]));
    for (const [format, block] of formats) {
      const weight = allocateWeight(gpu, "w", rows.length, D, format, { block });
      await writeWeightRows(gpu, weight, 0, rows.length, new Uint8Array(values.buffer), "F32");
      expect(await readParts(gpu, weight)).toEqual(packWeight(values, D, format, block));
    }
  });

  test("keeps no more memory after many writes than after the largest", async () => {
    const gpu = await testGpu();
    const [O, D] = [64, 128];
    const weight = allocateWeight(gpu, "w", O, D, "q4");
    const bytes = new Uint8Array(O * D * 4);
    await writeWeightRows(gpu, weight, 0, O, bytes, "F32");
    const before = gpu.bytes;
    for (let rows = 1; rows <= O; rows++) {
      await writeWeightRows(gpu, weight, 0, rows, bytes.subarray(0, rows * D * 4), "F32");
    }
    expect(gpu.bytes).toBe(before);
  });

  test("refuses rows and bytes that don't fit", async () => {
    const gpu = await testGpu();
    const weight = allocateWeight(gpu, "w", 4, 8, "q8");
    const bytes = new Uint8Array(64);
    await expect(writeWeightRows(gpu, weight, 3, 2, bytes, "F32")).rejects.toThrow("rows 3 to 5");
    await expect(writeWeightRows(gpu, weight, 0, 3, bytes, "F32")).rejects.toThrow("expected 96");
  });
});

describe("allocateWeight", () => {
  test("takes fewer bytes in each narrower format", async () => {
    const gpu = await testGpu();
    const formats: WeightFormat[] = ["f32", "f16", "q8", "q4"];
    const bytes = formats.map((format) => weightBytes(allocateWeight(gpu, "w", 64, 256, format)));
    expect(bytes).toEqual([65536, 32768, 16384 + 4096, 8192 + 2048]);
  });

  test("refuses what can't be", async () => {
    const gpu = await testGpu();
    expect(() => allocateWeight(gpu, "w", 4, 12, "q4")).toThrow("rows of 12");
    expect(() => allocateWeight(gpu, "w", 0, 8, "f32")).toThrow("[0, 8]");
    expect(() => allocateWeight(gpu, "w", 4, 8, "f32", { maxBytes: 16 })).toThrow("32 bytes");
  });
});
