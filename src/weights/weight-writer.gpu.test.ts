import { describe, expect, test } from "vitest";
import { random, testGpu } from "../../tests/support.ts";
import { FORMAT_CASES, makeWeight, readParts } from "../../tests/weight-formats.ts";
import { weightBytes } from "../gpu/weight.ts";
import { allocateWeight } from "./allocate-weight.ts";
import { partWords } from "./format.ts";
import { bf16 } from "./formats/bf16.ts";
import { f16 } from "./formats/f16.ts";
import { f32 } from "./formats/f32.ts";
import { q4 } from "./formats/q4.ts";
import { q6 } from "./formats/q6.ts";
import { q8 } from "./formats/q8.ts";
import { ELEMENT_FORMATS } from "./formats/registry.ts";
import { WeightWriter } from "./weight-writer.ts";

const writable = FORMAT_CASES.filter(({ format }) => format.packer);
const sources = FORMAT_CASES.filter(({ format }) => format.elements);

test("sources are all element formats", () => {
  expect(sources.map(({ format }) => format)).toEqual([...ELEMENT_FORMATS.values()]);
});

describe("WeightWriter", () => {
  const cases = writable.flatMap((kept) =>
    sources.flatMap((source) =>
      [8, 64, 200, 216, 1096].map((D) => ({ ...kept, source, from: source.title, D })),
    ),
  );

  test.each(cases)("$from to $title, rows of $D, bit for bit", async (c) => {
    const { D, format, reference, source } = c;
    const gpu = await testGpu();
    const O = 13;
    const [words] = source.reference.pack(random(O * D, D), D, source.format);
    const values = source.reference.unpack([words!], [O, D], source.format);
    const weight = allocateWeight(gpu, "w", [O, D], format);
    const writer = new WeightWriter(gpu);
    await writer.pack(weight, 0, O, new Uint8Array(words!.buffer), source.format);
    writer.dispose();
    expect(await readParts(gpu, weight)).toEqual(reference.pack(values, D, format));
  });

  test.each(writable)("$title: rows in pieces, across slices", async ({ format, reference }) => {
    const gpu = await testGpu();
    const [O, D] = [50, 96];
    const source = sources.find((one) => one.format === bf16)!.reference;
    const [words] = source.pack(random(O * D, 3), D, bf16);
    const values = source.unpack([words!], [O, D], bf16);
    const bytes = new Uint8Array(words!.buffer);
    const maxBytes = 4 * Math.max(...format.parts.map((part) => partWords(part, 7, D)));
    const weight = allocateWeight(gpu, "w", [O, D], format, { maxBytes });
    expect(weight.slices.map(({ rows }) => rows)).toEqual([7, 7, 7, 7, 7, 7, 7, 1]);
    const writer = new WeightWriter(gpu);
    // Several sizes, out of order, and in parallel.
    const cuts = [31, 50, 0, 9, 9, 31];
    await Promise.all(
      [0, 2, 4].map((i) => {
        const [begin, end] = cuts.slice(i, i + 2) as [number, number];
        const piece = bytes.subarray(begin * D * 2, end * D * 2);
        return writer.target(weight, begin).pack(0, end - begin, piece, bf16);
      }),
    );
    writer.dispose();
    expect(await readParts(gpu, weight)).toEqual(reference.pack(values, D, format));
  });

  test.each(writable)("$title: copies parts, across slices", async ({ format, reference }) => {
    const gpu = await testGpu();
    const [O, D] = [20, 96];
    const packed = reference.pack(random(O * D, 4), D, format);
    const maxBytes = 4 * Math.max(...format.parts.map((part) => partWords(part, 7, D)));
    const weight = allocateWeight(gpu, "w", [O, D], format, { maxBytes });
    const writer = new WeightWriter(gpu);
    for (const [part, words] of packed.entries()) {
      const bytes = new Uint8Array(words.buffer);
      const border = (bytes.length / O) * 9;
      await writer.target(weight, 9).copy(part, 0, bytes.subarray(border));
      await writer.copy(weight, part, 0, bytes.subarray(0, border));
    }
    expect(await readParts(gpu, weight)).toEqual(packed);
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
    for (const { format, reference } of writable) {
      const weight = await makeWeight(gpu, values, [rows.length, D], format);
      expect(await readParts(gpu, weight)).toEqual(reference.pack(values, D, format));
    }
  });

  test("keeps no more memory after many writes than after the largest one", async () => {
    const gpu = await testGpu();
    const [O, D] = [64, 128];
    const weight = allocateWeight(gpu, "w", [O, D], q4);
    const { bytes: atFirst } = gpu;
    const writer = new WeightWriter(gpu);
    const bytes = new Uint8Array(O * D * 4);
    await writer.pack(weight, 0, O, bytes, f32);
    const before = gpu.bytes;
    expect(before).toBeGreaterThan(atFirst);
    for (let rows = 1; rows <= O; rows++) {
      await writer.pack(weight, 0, rows, bytes.subarray(0, rows * D * 4), f32);
    }
    expect(gpu.bytes).toBe(before);
    writer.dispose();
    expect(gpu.bytes).toBe(atFirst);
  });

  test("refuses rows and bytes that don't fit", async () => {
    const gpu = await testGpu();
    const weight = allocateWeight(gpu, "w", [4, 8], q8);
    const writer = new WeightWriter(gpu);
    const bytes = new Uint8Array(64);
    await expect(writer.pack(weight, 3, 2, bytes, f32)).rejects.toThrow("rows 3 to 5");
    await expect(writer.pack(weight, 0, 3, bytes, f32)).rejects.toThrow("expected 96");
    await expect(writer.copy(weight, 0, 3, bytes.subarray(0, 16))).rejects.toThrow("rows 3 to 5");
    await expect(writer.copy(weight, 0, 0, bytes.subarray(4))).rejects.toThrow("rows of 8");
    const { packer, ...stored } = bf16;
    expect(packer).toBeDefined();
    const unpackable = allocateWeight(gpu, "w", [4, 8], stored);
    await expect(writer.pack(unpackable, 0, 2, bytes, f32)).rejects.toThrow("in bf16, which can't");
  });
});

describe("allocateWeight", () => {
  test("takes fewer bytes in each narrower format", async () => {
    const gpu = await testGpu();
    const bytes = [f32, f16, q8, q6, q4].map((format) =>
      weightBytes(allocateWeight(gpu, "w", [64, 256], format)),
    );
    expect(bytes).toEqual([65536, 32768, 17408, 13312, 10240]);
  });

  test("refuses impossible shapes and rows", async () => {
    const gpu = await testGpu();
    expect(() => allocateWeight(gpu, "w", [4, 12], q4)).toThrow("rows of 12");
    expect(() => allocateWeight(gpu, "w", [0, 8], f32)).toThrow("[0, 8]");
    expect(() => allocateWeight(gpu, "w", [4, 8], f32, { maxBytes: 16 })).toThrow("32 bytes");
  });
});
