import { describe, expect, test } from "vitest";
import type { Gpu } from "../gpu/device.ts";
import { ROW_WORDS } from "../ops/row.ts";
import type { Decoder, ForwardPass } from "./decoder.ts";
import { Prefill } from "./prefill.ts";
import type { Sequence } from "./prefix-cache.ts";

/** Index of the token in a row of `shaders/lib/row.wgsl`. */
const TOKEN = 3;

/** A prefill whose decoder records what it is asked to do. */
function prefillOf(preparedRows: number, maxRows = preparedRows) {
  const written: number[][] = [];
  const submitted: ForwardPass[] = [];
  const decoder = {
    limits: { preparedRows, maxRows },
    forward: async (bucket: number) => ({ name: `${bucket} rows` }),
    writeRows: (words: Uint32Array) => {
      const rows = Array.from({ length: words.length / ROW_WORDS }, (_, i) => i);
      written.push(rows.map((row) => words[row * ROW_WORDS + TOKEN] as number));
    },
    submit: (forward: ForwardPass) => void submitted.push(forward),
  } as unknown as Decoder;
  const queue = { onSubmittedWorkDone: async () => {} };
  const prefill = new Prefill({ device: { queue } } as unknown as Gpu, decoder);
  return { prefill, written, submitted };
}

const sequenceOf = (computed: number): Sequence => ({ salt: "", rows: [], pages: [], computed });
const promptOf = (T: number) => ({ tokens: Uint32Array.from({ length: T }, (_, i) => 100 + i) });

describe("Prefill.run", () => {
  test("submits all chunks but the last, whose head row is the prompt's last row", async () => {
    const { prefill, written, submitted } = prefillOf(4);
    const sequence = sequenceOf(0);
    const last = await prefill.run(promptOf(10), sequence, () => {});
    expect(submitted.map(({ plan }) => plan.name)).toEqual(["4 rows", "4 rows"]);
    expect(last).toMatchObject({ plan: { name: "4 rows" }, headRow: 1 });
    expect(written).toEqual([
      [100, 101, 102, 103],
      [104, 105, 106, 107],
      [108, 109, 0, 0],
    ]);
    expect([prefill.rows, sequence.computed]).toEqual([10, 8]);
  });

  test("starts after the cached rows", async () => {
    const { prefill, written, submitted } = prefillOf(4);
    const last = await prefill.run(promptOf(10), sequenceOf(9), () => {});
    expect([submitted.length, last.headRow, prefill.rows]).toEqual([0, 0, 1]);
    expect(written).toEqual([[109, 0, 0, 0]]);
  });

  test("computes a bidirectional block in one chunk, however large", async () => {
    const { prefill, submitted } = prefillOf(4, 64);
    const bidirectionalEnds = Uint32Array.of(0, 6, 6, 6, 6, 6, 6, 7);
    const last = await prefill.run({ ...promptOf(8), bidirectionalEnds }, sequenceOf(0), () => {});
    const passes = [...submitted, last].map(({ plan, headRow }) => [plan.name, headRow]);
    expect(passes).toEqual([
      ["4 rows", 0],
      ["32 rows", 5],
      ["4 rows", 0],
    ]);
  });

  test("counts finished chunks only, and ends when the check throws", async () => {
    const { prefill, submitted } = prefillOf(4);
    const sequence = sequenceOf(0);
    const check = () => {
      if (submitted.length === 2) throw new Error("aborted");
    };
    await expect(prefill.run(promptOf(20), sequence, check)).rejects.toThrow("aborted");
    expect([submitted.length, sequence.computed, prefill.rows]).toEqual([2, 8, 8]);
  });
});
