import { describe, expect, test } from "vitest";
import { keptTensor } from "../../tests/kept-tensor.ts";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { type AttentionOptions, type KeySource, attention } from "./attention.ts";
import { type KvType, PAGE_TOKENS } from "./cache.ts";
import { IDLE_ROW, ROW_WORDS, type Row, writeRow } from "./row.ts";

type Sizes = Omit<AttentionOptions, "scale">;

/** @returns channels of key or value i of a sequence and head */
type Lookup = (sequence: number, i: number, head: number) => Float32Array;

/** Each row's queries `query(t, h)` `[C]` → `[T, H * C]` */
function reference(
  rows: readonly Row[],
  query: (t: number, h: number) => Float32Array,
  key: Lookup,
  value: Lookup,
  { H, K, C, scale, softcap, range }: AttentionOptions,
): Float32Array {
  const y = new Float32Array(rows.length * H * C);
  rows.forEach((row, t) => {
    const first = range === "window" ? row.windowFirst : row.first;
    for (let h = 0; h < H; h++) {
      const q = query(t, h);
      const kv = Math.floor(h / (H / K));
      const scores: number[] = [];
      for (let i = first; i <= row.last; i++) {
        const k = key(row.sequence, i, kv);
        const score = scale * q.reduce((sum, x, c) => sum + x * (k[c] as number), 0);
        scores.push(softcap === undefined ? score : softcap * Math.tanh(score / softcap));
      }
      const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
      const total = scores.reduce((sum, s) => sum + Math.exp(s - largest), 0);
      const out = new Float64Array(C);
      scores.forEach((score, i) => {
        const weight = Math.exp(score - largest) / total;
        value(row.sequence, first + i, kv).forEach((v, c) => (out[c] = (out[c] ?? 0) + weight * v));
      });
      y.set(out, (t * H + h) * C);
    }
  });
  return y;
}

async function check(
  rows: readonly Row[],
  q: Float32Array,
  width: number,
  source: KeySource,
  key: Lookup,
  value: Lookup,
  options: AttentionOptions,
  ranges = rows,
) {
  const gpu = await testGpu();
  const T = rows.length;
  const words = new Uint32Array(T * ROW_WORDS);
  rows.forEach((row, t) => writeRow(words, t, row));
  const rowTensor = gpu.tensor("rows", [T, ROW_WORDS], "u32", words);
  const qTensor = gpu.tensor("q", [T, width], "f32", q);
  const y = await runOp(gpu, (g) => attention(g, rowTensor, qTensor, source, options));
  const { C } = options;
  const query = (t: number, h: number) => q.subarray(t * width + h * C, t * width + (h + 1) * C);
  expectClose(y, reference(ranges, query, key, value, options), 1e-5);
}

const SEQUENCES = 3;

/** Attention to a cache with shuffled pages, whose unused rows hold NaN. */
async function checkPaged(
  rows: readonly Row[],
  sizes: Sizes,
  maxPages: number,
  type: KvType = "f32",
) {
  const gpu = await testGpu();
  const { H, K, C } = sizes;
  const options = { ...sizes, scale: 2.5 * C ** -0.5 };
  const pages = SEQUENCES * maxPages + 1;
  // 7 divides none of these page counts, so that no page is used twice.
  const pageOf = (sequence: number, page: number) => ((sequence * maxPages + page) * 7 + 3) % pages;
  const pageTable = Uint32Array.from({ length: SEQUENCES * maxPages }, (_, i) => pageOf(0, i));
  const [keys, values] = [2, 3].map((seed) => random(pages * PAGE_TOKENS * K * C, seed)) as [
    Float32Array,
    Float32Array,
  ];
  const used = new Set<number>();
  const slotOf = (sequence: number, i: number) =>
    pageOf(sequence, Math.floor(i / PAGE_TOKENS)) * PAGE_TOKENS + (i % PAGE_TOKENS);
  for (const { sequence, first, last } of rows) {
    for (let i = first; i <= last; i++) used.add(slotOf(sequence, i));
  }
  for (let slot = 0; slot < pages * PAGE_TOKENS; slot++) {
    if (used.has(slot)) continue;
    keys.fill(NaN, slot * K * C, (slot + 1) * K * C);
    values.fill(NaN, slot * K * C, (slot + 1) * K * C);
  }
  const kept = (data: Float32Array, label: string) => keptTensor(gpu, label, data, K * C, type);
  const cache = {
    keys: kept(keys, "keys"),
    values: kept(values, "values"),
    pageTable: gpu.tensor("pageTable", [SEQUENCES, maxPages], "u32", pageTable),
  };
  const lookup =
    (data: Float32Array): Lookup =>
    (sequence, i, head) => {
      const start = (slotOf(sequence, i) * K + head) * C;
      return data.subarray(start, start + C);
    };
  const q = random(rows.length * H * C, 1);
  const source = { kind: "paged", cache } as const;
  await check(rows, q, H * C, source, lookup(keys), lookup(values), options);
}

/** Attention among the rows of one projection. */
async function checkFlat(rows: readonly Row[], sizes: Sizes) {
  const gpu = await testGpu();
  const { H, K, C } = sizes;
  const width = (H + 2 * K) * C;
  const data = random(rows.length * width, 1);
  const lookup =
    (offset: number): Lookup =>
    (_, i, head) => {
      const start = i * width + (offset + head) * C;
      return data.subarray(start, start + C);
    };
  const qkv = gpu.tensor("qkv", [rows.length, width], "f32", data);
  const options = { ...sizes, scale: 2.5 * C ** -0.5 };
  await check(rows, data, width, { kind: "flat", qkv }, lookup(H), lookup(H + K), options);
}

/** Attention to keys in a ring of N rows. Rows that no query attends to hold NaN. */
async function checkImages(rows: readonly Row[], sizes: Sizes, N: number) {
  const gpu = await testGpu();
  const { H, K, C } = sizes;
  const [keys, values] = [2, 3].map((seed) => random(N * K * C, seed)) as [
    Float32Array,
    Float32Array,
  ];
  const used = new Set<number>();
  for (const { crossFirst = 1, crossLast = 0 } of rows) {
    for (let i = crossFirst; i <= crossLast; i++) used.add(i % N);
  }
  for (let row = 0; row < N; row++) {
    if (used.has(row)) continue;
    keys.fill(NaN, row * K * C, (row + 1) * K * C);
    values.fill(NaN, row * K * C, (row + 1) * K * C);
  }
  const lookup =
    (data: Float32Array): Lookup =>
    (_, i, head) => {
      const start = ((i % N) * K + head) * C;
      return data.subarray(start, start + C);
    };
  const source = {
    kind: "cross-attention",
    keys: gpu.tensor("keys", [N, K * C], "f32", keys),
    values: gpu.tensor("values", [N, K * C], "f32", values),
  } as const;
  const options = { ...sizes, scale: 2.5 * C ** -0.5 };
  const q = random(rows.length * H * C, 1);
  // The reference attends to `first ..= last`.
  const ranges = rows.map((row) => {
    return { ...row, first: row.crossFirst ?? 1, last: row.crossLast ?? 0 };
  });
  await check(rows, q, H * C, source, lookup(keys), lookup(values), options, ranges);
}

/** Consecutive rows of a sequence. Each attends to itself and all rows before it. */
function causal(sequence: number, start: number, count: number, window = Infinity): Row[] {
  return Array.from({ length: count }, (_, i) => ({
    ...IDLE_ROW,
    sequence,
    position: start + i,
    first: 0,
    last: start + i,
    windowFirst: Math.max(0, start + i - window + 1),
  }));
}

/** Patch rows of images, one image after another. Each attends to all rows of its image. */
function images(...counts: number[]): Row[] {
  let first = 0;
  return counts.flatMap((count) => {
    const row = { ...IDLE_ROW, first, last: first + count - 1 };
    first += count;
    return Array.from({ length: count }, () => row);
  });
}

const HEADS = [
  { H: 1, K: 1, C: 64 },
  { H: 9, K: 3, C: 64 },
  { H: 14, K: 2, C: 64 },
  { H: 3, K: 3, C: 72 },
  { H: 4, K: 2, C: 80 },
  { H: 2, K: 2, C: 96 },
  { H: 12, K: 2, C: 128 },
  { H: 8, K: 1, C: 256 },
  { H: 40, K: 2, C: 16 },
];

describe.each(HEADS)("attention of $H/$K heads of $C", (heads) => {
  test.each([1, 64, 65, 200])("to %i keys in pages, one row", async (count) => {
    await checkPaged(causal(1, count - 1, 1), heads, 5);
  });

  test.each([
    { T: 8, start: 120 },
    { T: 9, start: 0 },
    { T: 33, start: 50 },
  ])("to keys in pages, $T rows from $start", async ({ T, start }) => {
    await checkPaged(causal(2, start, T), heads, 5);
  });

  test("to flat keys", async () => {
    await checkFlat(images(70), heads);
    await checkFlat(images(3), heads);
  });
});

describe("attention", () => {
  const heads = { H: 6, K: 2, C: 64 };

  test.each([
    { T: 5, name: "few" },
    { T: 40, name: "many" },
  ])("$name rows of several sequences, some idle", async ({ T }) => {
    const rows = Array.from({ length: T }, (_, i) => {
      return i % 5 === 3 ? IDLE_ROW : (causal((i * 2) % 3, (i * 37) % 250, 1)[0] as Row);
    });
    await checkPaged(rows, heads, 5);
  });

  test("a prefill chunk with decode rows of other sequences", async () => {
    const rows = [...causal(0, 70, 21), ...causal(1, 200, 1), IDLE_ROW, ...causal(2, 3, 1)];
    await checkPaged(rows, heads, 5);
  });

  test("only idle rows", async () => {
    await checkPaged([IDLE_ROW], heads, 2);
    await checkPaged(Array<Row>(20).fill(IDLE_ROW), heads, 2);
  });

  test.each([4, 30])("%i rows whose ranges start and end inside a page", async (T) => {
    const rows = Array.from({ length: T }, (_, i) => {
      return { ...IDLE_ROW, sequence: 1, first: 30 + 5 * i, last: 90 + 7 * i };
    });
    await checkPaged(rows, heads, 5);
  });

  test.each([2, 50])("%i rows that attend to a window", async (T) => {
    await checkPaged(causal(0, 180, T, 70), { ...heads, range: "window" }, 5);
  });

  test.each([
    { softcap: 1, T: 3 },
    { softcap: 1, T: 30 },
    // Large values, where tanh overflows on some drivers.
    { softcap: 0.01, T: 3 },
    { softcap: 0.01, T: 30 },
  ])("$T rows whose scores are capped by $softcap", async ({ softcap, T }) => {
    await checkPaged(causal(1, 90, T), { ...heads, softcap }, 5);
  });

  test.each(HEADS.slice(2, 5))(
    "$H/$K heads of $C attend to keys in pages that are kept in f16",
    async (heads) => {
      await checkPaged(causal(1, 199, 1), heads, 5, "f16");
      await checkPaged(causal(2, 50, 33), heads, 5, "f16");
    },
  );

  test("shapes of keys that don't fit their type are refused", async () => {
    const gpu = await testGpu();
    const pageTable = gpu.tensor("pages", [1, 1], "u32");
    const cache = {
      keys: gpu.tensor("k", [64, 8]),
      values: gpu.tensor("v", [64, 4], "u32"),
      pageTable,
    };
    const rows = gpu.tensor("rows", [1, ROW_WORDS], "u32");
    const q = gpu.tensor("q", [1, 8]);
    const run = runOp(gpu, (g) =>
      attention(g, rows, q, { kind: "paged", cache }, { H: 1, K: 1, C: 8, scale: 1 }),
    );
    await expect(run).rejects.toThrow("expected rows of 8 f32, or of 4 u32 with two f16");
  });

  test("many pages", async () => {
    await checkPaged(causal(0, 4000, 1), heads, 80);
    await checkPaged(causal(0, 2000, 10), heads, 80);
  });

  test.each([
    { name: "one image", counts: [257] },
    { name: "images of unlike size", counts: [100, 1, 30, 64, 129] },
  ])("patches of $name", async ({ counts }) => {
    await checkFlat(images(...counts), { H: 3, K: 3, C: 72 });
  });

  test.each([1, 8, 9, 40])("%i rows attend to cross-attention keys", async (T) => {
    // In a ring of 150 rows: no key, a range from within a page, all keys, a range over the ring's end.
    const ranges: [number, number][] = [
      [1, 0],
      [30, 96],
      [100, 249],
      [140, 170],
      [0, 149],
      [299, 299],
    ];
    const rows = Array.from({ length: T }, (_, i) => {
      const [crossFirst, crossLast] = ranges[(i + 1) % ranges.length] as [number, number];
      return { ...(causal(0, 3 + i, 1)[0] as Row), crossFirst, crossLast };
    });
    for (const heads of HEADS.slice(0, 4)) await checkImages(rows, heads, 150);
  });

  test("rejects shapes that don't fit", async () => {
    const rows = causal(0, 0, 2);
    await expect(checkFlat(rows, { H: 3, K: 2, C: 8 })).rejects.toThrow("H is 3, expected a mult");
    await expect(checkFlat(rows, { H: 2, K: 2, C: 6 })).rejects.toThrow("C is 6, expected a mult");
    await expect(checkFlat(rows, { H: 2, K: 2, C: 260 })).rejects.toThrow("up to 256");
  });
});
