import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import type { Heads } from "./rope-append.ts";
import { ropeQkv } from "./rope-qkv.ts";
import { IDLE_ROW, ROW_WORDS, type Row, writeRow } from "./row.ts";

/** `[P, (H + 2K) * C]` → the same: x * cos + rotate_half(x) * sin of queries and keys. */
function reference(
  positions: readonly Row["rope"][],
  qkv: Float32Array,
  { H, K, C }: Heads,
  inverseFrequencies: Float32Array,
  axes: Uint32Array,
): Float32Array {
  return qkv.map((value, i) => {
    const head = Math.floor(i / C) % (H + 2 * K);
    if (head >= H + K) return value;
    const channel = i % C;
    const pair = channel % (C / 2);
    const rope = positions[Math.floor(i / (C * (H + 2 * K)))] as Row["rope"];
    const position = rope[axes[pair] as number] as number;
    const angle = Math.fround(position * (inverseFrequencies[pair] as number));
    const half = channel < C / 2 ? -(qkv[i + C / 2] as number) : (qkv[i - C / 2] as number);
    return value * Math.cos(angle) + half * Math.sin(angle);
  });
}

describe("ropeQkv", () => {
  test.each([
    { heads: { H: 1, K: 1, C: 8 }, grid: [1, 1] },
    { heads: { H: 16, K: 16, C: 80 }, grid: [6, 4] },
    { heads: { H: 16, K: 16, C: 64 }, grid: [2, 14] },
    { heads: { H: 3, K: 1, C: 72 }, grid: [7, 5] },
    { heads: { H: 2, K: 2, C: 16 }, grid: [3, 1200] },
  ] as const)("$heads.H/$heads.K heads of $heads.C on a grid of $grid", async ({ heads, grid }) => {
    const gpu = await testGpu();
    const { H, K, C } = heads;
    const [rows, cols] = grid;
    const P = rows * cols;
    // No pair is rotated by the temporal position.
    const positions = Array.from({ length: P }, (_, p): Row["rope"] => {
      return [1000, Math.floor(p / cols), p % cols];
    });
    const words = new Uint32Array(P * ROW_WORDS);
    positions.forEach((rope, p) => writeRow(words, p, { ...IDLE_ROW, rope }));
    // Height rotates the first C/4 pairs, width the others, with the same frequencies.
    const inverseFrequencies = Float32Array.from({ length: C / 2 }, (_, c) => {
      return 1e4 ** ((-4 * (c % (C / 4))) / C);
    });
    const axes = Uint32Array.from({ length: C / 2 }, (_, c) => (c < C / 4 ? 1 : 2));
    const qkv = random(P * (H + 2 * K) * C, 1);

    const y = await runOp(gpu, (g) =>
      ropeQkv(
        g,
        gpu.tensor("rows", [P, ROW_WORDS], "u32", words),
        gpu.tensor("qkv", [P, (H + 2 * K) * C], "f32", qkv),
        {
          inverseFrequencies: gpu.tensor("frequencies", [C / 2], "f32", inverseFrequencies),
          axes: gpu.tensor("axes", [C / 2], "u32", axes),
        },
        heads,
      ),
    );
    expectClose(y, reference(positions, qkv, heads, inverseFrequencies, axes), 1e-6);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (C: number, P: number, width: number, pairs: number) =>
      runOp(gpu, (g) =>
        ropeQkv(
          g,
          gpu.tensor("rows", [3, ROW_WORDS], "u32"),
          gpu.tensor("qkv", [P, width]),
          {
            inverseFrequencies: gpu.tensor("frequencies", [C / 2]),
            axes: gpu.tensor("axes", [pairs], "u32"),
          },
          { H: 1, K: 1, C },
        ),
      );
    await expect(run(20, 3, 60, 10)).rejects.toThrow("ropeQkv: C is 20, expected a multiple of 8");
    await expect(run(8, 2, 24, 4)).rejects.toThrow("ropeQkv: qkv is [2,24], expected [3,24]");
    await expect(run(8, 3, 16, 4)).rejects.toThrow("ropeQkv: qkv is [3,16], expected [3,24]");
    await expect(run(8, 3, 24, 2)).rejects.toThrow("[4] and axes [2], expected [4]");
  });
});
