import { describe, expect, test } from "vitest";
import { keptTensor, readKept } from "../../tests/kept-tensor.ts";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { Gpu } from "../gpu/device.ts";
import { Graph } from "../gpu/graph.ts";
import { type KvType, PAGE_TOKENS } from "./cache.ts";
import { type HeadNorms, type Heads, ropeAppend } from "./rope-append.ts";
import { IDLE_ROW, NOWHERE, ROW_WORDS, type Row, writeRow } from "./row.ts";

/** Weights `[C]` of the norms of queries and keys. */
interface Norms {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly eps: number;
  readonly offset: 0 | 1;
}

/** [T, (H + 2K) * C] → q `[T, H * C]`; changes keys and values `[pages * 64, K * C]`. */
function reference(
  rows: readonly Row[],
  qkv: Float32Array,
  { H, K, C }: Heads,
  inverseFrequencies: Float32Array,
  axes: Uint32Array,
  pageTable: Uint32Array,
  maxPages: number,
  keys: Float32Array,
  values: Float32Array,
  norms?: Norms,
): Float32Array {
  const q = new Float32Array(rows.length * H * C);
  rows.forEach((row, t) => {
    const headOf = (head: number) => {
      const start = (t * (H + 2 * K) + head) * C;
      const x = Array.from(qkv.subarray(start, start + C));
      if (!norms) return x;
      const rms = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / C + norms.eps);
      const weight = head < H ? norms.q : norms.k;
      return x.map((v, c) => (v / rms) * ((weight[c] as number) + norms.offset));
    };
    const rotate = (head: number) => {
      const x = headOf(head);
      return Float32Array.from({ length: C }, (_, i) => {
        const c = i % (C / 2);
        const position = row.rope[axes[c] as number] as number;
        const angle = Math.fround(position * (inverseFrequencies[c] as number));
        const [a, b] = [x[c] as number, x[c + C / 2] as number];
        return i < C / 2
          ? a * Math.cos(angle) - b * Math.sin(angle)
          : b * Math.cos(angle) + a * Math.sin(angle);
      });
    };
    for (let h = 0; h < H; h++) q.set(rotate(h), (t * H + h) * C);
    if (row.position === NOWHERE) return;
    const page = pageTable[row.sequence * maxPages + Math.floor(row.position / PAGE_TOKENS)];
    const slot = (page as number) * PAGE_TOKENS + (row.position % PAGE_TOKENS);
    for (let k = 0; k < K; k++) {
      const value = (t * (H + 2 * K) + H + K + k) * C;
      keys.set(rotate(H + k), (slot * K + k) * C);
      values.set(qkv.subarray(value, value + C), (slot * K + k) * C);
    }
  });
  return q;
}

/** A text row of `sequence`. Its RoPE position may differ from its position. */
function at(
  sequence: number,
  position: number,
  rope: Row["rope"] = [position, position, position],
) {
  return { ...IDLE_ROW, sequence, position, rope };
}

interface CheckOptions {
  readonly gpu?: Gpu;
  readonly eps?: number;
  readonly offset?: 0 | 1;
  readonly type?: KvType;
}

async function check(
  heads: Heads,
  rows: readonly Row[],
  theta: number,
  axisOf: (c: number) => number,
  { gpu, eps, offset = 0, type = "f32" }: CheckOptions = {},
) {
  gpu ??= await testGpu();
  const { H, K, C } = heads;
  const T = rows.length;
  const [sequences, maxPages, pages] = [3, 5, 16];
  const pageTable = Uint32Array.from(
    { length: sequences * maxPages },
    (_, i) => (i * 7 + 3) % pages,
  );
  const inverseFrequencies = Float32Array.from(
    { length: C / 2 },
    (_, c) => theta ** ((-2 * c) / C),
  );
  const axes = Uint32Array.from({ length: C / 2 }, (_, c) => axisOf(c));
  const qkv = random(T * (H + 2 * K) * C, 1);
  const keys = random(pages * PAGE_TOKENS * K * C, 2);
  const values = random(pages * PAGE_TOKENS * K * C, 3);
  const norms = eps === undefined ? undefined : { q: random(C, 4), k: random(C, 5), eps, offset };
  const words = new Uint32Array(T * ROW_WORDS);
  rows.forEach((row, t) => writeRow(words, t, row));

  const cache = {
    keys: keptTensor(gpu, "keys", keys, K * C, type),
    values: keptTensor(gpu, "values", values, K * C, type),
    pageTable: gpu.tensor("pageTable", [sequences, maxPages], "u32", pageTable),
  };
  const g = new Graph(gpu);
  const q = g.keep(
    ropeAppend(
      g,
      gpu.tensor("rows", [T, ROW_WORDS], "u32", words),
      gpu.tensor("qkv", [T, (H + 2 * K) * C], "f32", qkv),
      {
        inverseFrequencies: gpu.tensor("frequencies", [C / 2], "f32", inverseFrequencies),
        axes: gpu.tensor("axes", [C / 2], "u32", axes),
      },
      cache,
      heads,
      norms && {
        qNorm: gpu.tensor("qNorm", [C], "f32", norms.q),
        kNorm: gpu.tensor("kNorm", [C], "f32", norms.k),
        eps: norms.eps,
        offset,
      },
    ),
  );
  (await g.compile()).submit();

  const expected = reference(
    rows,
    qkv,
    heads,
    inverseFrequencies,
    axes,
    pageTable,
    maxPages,
    keys,
    values,
    norms,
  );
  expectClose(await gpu.read(q), expected, norms ? 1e-5 : 1e-6);
  // Rounding to f16 changes a number below 4 by 2^-10 at most.
  const [keyError, valueError] = type === "f32" ? [norms ? 1e-5 : 1e-6, 0] : [2e-3, 1e-3];
  expectClose(await readKept(gpu, cache.keys), keys, keyError);
  expectClose(await readKept(gpu, cache.values), values, valueError);
}

describe("ropeAppend", () => {
  const consecutive = (T: number) => Array.from({ length: T }, (_, i) => at(1, i + 60));

  test.each([
    { heads: { H: 1, K: 1, C: 8 }, T: 1 },
    { heads: { H: 9, K: 3, C: 64 }, T: 1 },
    { heads: { H: 14, K: 2, C: 64 }, T: 70 },
    { heads: { H: 4, K: 4, C: 72 }, T: 7 },
    { heads: { H: 8, K: 1, C: 256 }, T: 9 },
  ])("$heads.H/$heads.K heads of $heads.C, $T rows", async ({ heads, T }) => {
    await check(heads, consecutive(T), 1e4, () => 0);
  });

  test("keys and values are kept in f16", async () => {
    const rows = [at(2, 63), at(0, 64), IDLE_ROW, at(1, 0)];
    await check({ H: 6, K: 2, C: 72 }, rows, 1e5, () => 0, { type: "f16" });
    await check({ H: 4, K: 1, C: 8 }, rows, 1e5, () => 0, { type: "f16", eps: 1e-6 });
  });

  test("several sequences, idle rows, ends of pages", async () => {
    const rows = [at(2, 63), at(0, 64), IDLE_ROW, at(2, 319), at(1, 0), IDLE_ROW];
    await check({ H: 6, K: 2, C: 64 }, rows, 1e5, () => 0);
  });

  test("angles of many full rotations", async () => {
    const far = [8191, 8192, 32_767, 65_535, 100_000, 40_321, 99_999];
    const rows = far.map((rope, i) => at(0, i, [rope, rope, rope]));
    await check({ H: 2, K: 1, C: 128 }, rows, 1e6, () => 0);
  });

  test("a position for each channel pair", async () => {
    const rows = [at(0, 0, [5, 100, 900]), at(0, 1, [77, 3, 1]), at(0, 2, [0, 0, 12])];
    await check({ H: 4, K: 2, C: 64 }, rows, 1e4, (c) => (c < 16 ? c % 3 : 0));
  });

  const normed = [
    { heads: { H: 1, K: 1, C: 8 }, T: 1, eps: 0.5 },
    { heads: { H: 16, K: 8, C: 128 }, T: 1, eps: 1e-6 },
    { heads: { H: 5, K: 1, C: 72 }, T: 33, eps: 1e-6 },
    { heads: { H: 8, K: 4, C: 256 }, T: 9, eps: 1e-5 },
    { heads: { H: 8, K: 4, C: 256 }, T: 3, eps: 1e-6, offset: 1 as const },
  ];

  test.each(normed)(
    "$heads.H/$heads.K normed heads of $heads.C, $T rows",
    async ({ heads, T, ...norm }) => {
      await check(heads, [...consecutive(T), IDLE_ROW], 5e6, (c) => c % 3, norm);
    },
  );

  test("norms on a device that binds only the buffers that WebGPU guarantees", async () => {
    const adapter = await navigator.gpu.requestAdapter();
    if (!adapter) throw new Error("this browser has no WebGPU adapter");
    const gpu = new Gpu(await adapter.requestDevice(), adapter.info);
    try {
      expect(gpu.device.limits.maxStorageBuffersPerShaderStage).toBe(8);
      for (const { heads, T, ...norm } of normed) {
        await check(heads, [...consecutive(T), IDLE_ROW], 5e6, (c) => c % 3, { gpu, ...norm });
      }
      gpu.throwIfFailed();
    } finally {
      gpu.destroy();
    }
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (C: number, width: number, pairs: number, cacheWidth: number, norms?: HeadNorms) =>
      runOp(gpu, (g) =>
        ropeAppend(
          g,
          gpu.tensor("rows", [2, ROW_WORDS], "u32"),
          gpu.tensor("qkv", [2, width]),
          {
            inverseFrequencies: gpu.tensor("frequencies", [pairs]),
            axes: gpu.tensor("axes", [C / 2], "u32"),
          },
          {
            keys: gpu.tensor("keys", [64, cacheWidth]),
            values: gpu.tensor("values", [64, cacheWidth]),
            pageTable: gpu.tensor("pageTable", [1, 1], "u32"),
          },
          { H: 2, K: 1, C },
          norms,
        ),
      );
    const weight = (C: number) => gpu.tensor("norm", [C]);
    await expect(run(12, 48, 6, 12)).rejects.toThrow("ropeAppend: C is 12, expected a multiple of");
    await expect(run(8, 24, 4, 8)).rejects.toThrow("qkv is [2,24], expected [2,32]");
    await expect(run(8, 32, 8, 8)).rejects.toThrow("[8] and axes [4], expected [4]");
    await expect(run(8, 32, 4, 16)).rejects.toThrow(
      "keys are [64,16] f32 and values [64,16] f32, expected rows of 8 f32",
    );
    await expect(run(8, 32, 4, 8, { qNorm: weight(8), kNorm: weight(4) })).rejects.toThrow(
      "ropeAppend: qNorm is [8] and kNorm [4], expected [8]",
    );
    await expect(run(8, 32, 4, 8, { kNorm: weight(8) })).rejects.toThrow(
      "ropeAppend: kNorm without qNorm, expected both or neither",
    );
  });
});
