import type { Kernels } from "../src/gpu/kernels.ts";
import { type AttentionOptions, type KeySource, attention } from "../src/ops/attention.ts";
import { type KvType, PAGE_TOKENS } from "../src/ops/cache.ts";
import { IDLE_ROW, ROW_WORDS, type Row, writeRow } from "../src/ops/row.ts";
import { keptTensor } from "./kept-tensor.ts";
import { expectClose, random, runOp, testGpu } from "./support.ts";

interface Forced {
  /** Default: the device's. */
  readonly kernels?: Kernels | undefined;
}

type Sizes = Omit<AttentionOptions, "scale"> & Forced;

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
  { kernels, ...options }: AttentionOptions & Forced,
  ranges = rows,
) {
  const gpu = await testGpu();
  const T = rows.length;
  const words = new Uint32Array(T * ROW_WORDS);
  rows.forEach((row, t) => writeRow(words, t, row));
  const rowTensor = gpu.tensor("rows", [T, ROW_WORDS], "u32", words);
  const qTensor = gpu.tensor("q", [T, width], "f32", q);
  const y = await runOp(gpu, (g) => attention(g, rowTensor, qTensor, source, options), kernels);
  const { C } = options;
  const query = (t: number, h: number) => q.subarray(t * width + h * C, t * width + (h + 1) * C);
  expectClose(y, reference(ranges, query, key, value, options), 1e-5);
}

const SEQUENCES = 3;

/** Attention to a cache with shuffled pages, whose unused rows hold NaN. */
export async function checkPaged(
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
export async function checkFlat(rows: readonly Row[], sizes: Sizes) {
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
export async function checkImages(rows: readonly Row[], sizes: Sizes, N: number) {
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
export function causal(sequence: number, start: number, count: number, window = Infinity): Row[] {
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
export function images(...counts: number[]): Row[] {
  let first = 0;
  return counts.flatMap((count) => {
    const row = { ...IDLE_ROW, first, last: first + count - 1 };
    first += count;
    return Array.from({ length: count }, () => row);
  });
}

/** Query heads, key/value heads, channels of a head. */
export const HEADS = [
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
