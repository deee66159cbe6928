import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { Graph } from "../gpu/graph.ts";
import { PAGE_TOKENS, convStateRows } from "./cache.ts";
import { IDLE_ROW, NOWHERE, ROW_WORDS, type Row, writeRow } from "./row.ts";
import { shortConv } from "./short-conv.ts";

/** A text row of `sequence`. */
function at(sequence: number, position: number): Row {
  return { ...IDLE_ROW, sequence, position };
}

/** Rows `from ..< to` of a sequence. */
function run(sequence: number, from: number, to: number): Row[] {
  return Array.from({ length: to - from }, (_, i) => at(sequence, from + i));
}

const SEQUENCES = 3;
const MAX_PAGES = 5;
const PAGES = 16;
const PAGE_TABLE = Uint32Array.from(
  { length: SEQUENCES * MAX_PAGES },
  (_, i) => (i * 7 + 3) % PAGES,
);

/** The row of the states that belongs to a position. */
function placeOf(sequence: number, position: number, kept: number): number {
  const page = PAGE_TABLE[sequence * MAX_PAGES + Math.floor(position / PAGE_TOKENS)] as number;
  return page * kept + (position % kept);
}

/** bcx `[T, 3D]`, weight `[D, L]` → y `[T, D]`; changes states `[pages * kept, D]` row by row. */
function reference(
  rows: readonly Row[],
  bcx: Float32Array,
  weight: Float32Array,
  states: Float32Array,
  D: number,
): Float32Array {
  const y = new Float32Array(rows.length * D);
  const L = weight.length / D;
  const kept = states.length / D / PAGES;
  rows.forEach(({ sequence, position }, t) => {
    if (position === NOWHERE) return;
    for (let c = 0; c < D; c++) {
      const part = (n: number) => bcx[t * 3 * D + n * D + c] as number;
      const earlier = (back: number) =>
        position < back ? 0 : (states[placeOf(sequence, position - back, kept) * D + c] as number);
      const u = Math.fround(part(0) * part(2));
      let sum = (weight[L * c + L - 1] as number) * u;
      for (let back = 1; back < L; back++) {
        sum += (weight[L * c + L - 1 - back] as number) * earlier(back);
      }
      y[t * D + c] = part(1) * sum;
      states[placeOf(sequence, position, kept) * D + c] = u;
    }
  });
  return y;
}

/** Runs chunks of rows one after another on one cache, and compares each. */
async function check(D: number, chunks: readonly (readonly Row[])[], L = 3): Promise<void> {
  const gpu = await testGpu();
  const weight = random(D * L, 1);
  const kept = convStateRows(L);
  const states = random(PAGES * kept * D, 2);
  const cache = {
    states: gpu.tensor("states", [PAGES * kept, D], "f32", states),
    kept,
    pageTable: gpu.tensor("pageTable", [SEQUENCES, MAX_PAGES], "u32", PAGE_TABLE),
  };
  const weights = gpu.tensor("weight", [D, 1, L], "f32", weight);
  for (const [i, rows] of chunks.entries()) {
    const T = rows.length;
    const bcx = random(T * 3 * D, 3 + i);
    const words = new Uint32Array(T * ROW_WORDS);
    rows.forEach((row, t) => writeRow(words, t, row));
    const y = await runOp(gpu, (g) =>
      shortConv(
        g,
        gpu.tensor("rows", [T, ROW_WORDS], "u32", words),
        gpu.tensor("bcx", [T, 3 * D], "f32", bcx),
        weights,
        cache,
      ),
    );
    expectClose(y, reference(rows, bcx, weight, states, D), 1e-5);
    // Exact, so that no other state has been written.
    expect(await gpu.read(cache.states)).toEqual(states);
  }
}

describe("shortConv", () => {
  test.each([
    { D: 4, chunks: [1] },
    { D: 4, chunks: [1, 1, 1, 1] },
    { D: 12, chunks: [2, 1, 3, 1] },
    { D: 68, chunks: [5, 3, 4, 2, 1, 1, 6] },
    { D: 1024, chunks: [33, 1, 40] },
    { D: 20, chunks: [62, 1, 1, 1, 1] },
    { D: 20, chunks: [63, 2, 1] },
    { D: 8, chunks: [64, 64, 1] },
    { D: 8, chunks: [200, 1, 1, 100] },
  ])("$D channels, positions in chunks of $chunks", async ({ D, chunks }) => {
    let first = 0;
    await check(
      D,
      chunks.map((count) => run(1, first, (first += count))),
    );
  });

  test.each([1, 2, 4, 5, 64])("over %i positions", async (L) => {
    let first = 0;
    const chunks = [1, 1, 3, 60, 1, 2, 70, 1];
    await check(
      12,
      chunks.map((count) => run(1, first, (first += count))),
      L,
    );
  });

  test("starts with zeros, whatever the pages hold", async () => {
    await check(8, [run(0, 0, 1), run(1, 0, 2), run(2, 0, 3)]);
  });

  test("continues in the middle of a page, at its end and after it", async () => {
    for (const first of [1, 2, 61, 62, 63, 64, 65, 127, 128, 129]) {
      await check(8, [run(2, first, first + 1), run(2, first + 1, first + 5)]);
      await check(8, [run(2, first, first + 4), run(2, first + 4, first + 5)]);
    }
  });

  test("idle rows write no state and give zeros", async () => {
    await check(12, [[IDLE_ROW], [...run(1, 60, 63), IDLE_ROW, IDLE_ROW], run(1, 63, 66)]);
    await check(12, [[...run(0, 0, 1), ...Array<Row>(31).fill(IDLE_ROW)], run(0, 1, 2)]);
  });

  test("several sequences in one pass", async () => {
    const decode = (step: number) => [at(2, 63 + step), at(0, 64 + step), at(1, step), IDLE_ROW];
    await check(12, [decode(0), decode(1), decode(2), decode(3)]);
    await check(12, [[...run(0, 10, 14), ...run(1, 62, 67), ...run(2, 0, 1)]]);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (T: number, width: number, positions: number, channels: number) => {
      const cache = {
        states: gpu.tensor("states", [2, channels]),
        kept: 2,
        pageTable: gpu.tensor("pageTable", [1, 1], "u32"),
      };
      const weight = gpu.tensor("weight", [channels, 1, positions]);
      const rows = gpu.tensor("rows", [T, ROW_WORDS], "u32");
      return () => shortConv(new Graph(gpu), rows, gpu.tensor("bcx", [2, width]), weight, cache);
    };
    expect(run(2, 24, 3, 8)).not.toThrow();
    expect(run(2, 18, 3, 6)).toThrow("shortConv: bcx is [2,18], expected [T, 3D], D a multiple");
    expect(run(2, 25, 3, 8)).toThrow("shortConv: bcx is [2,25]");
    expect(run(3, 24, 3, 8)).toThrow(
      "rows are [3,12], weight [8,1,3] and states [2,8], expected [2",
    );
    expect(run(2, 24, 4, 8)).toThrow("weight [8,1,4]");
    expect(run(2, 12, 3, 8)).toThrow("expected [2, ...], [4, 1, 3] and [..., 4]");
  });
});
