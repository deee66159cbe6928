import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { interpolateGrid } from "./interpolate-grid.ts";

interface Sizes {
  readonly H: number;
  readonly W: number;
  readonly D: number;
  readonly P: number;
}

/** table `[H * W, D]`, down `[P, H]`, across `[P, W]` → `[P, D]` */
function reference(
  table: Float32Array,
  down: Float32Array,
  across: Float32Array,
  { H, W, D, P }: Sizes,
): Float32Array {
  return Float32Array.from({ length: P * D }, (_, at) => {
    const p = Math.floor(at / D);
    let sum = 0;
    for (let i = 0; i < H; i++) {
      for (let j = 0; j < W; j++) {
        const share = (down[p * H + i] as number) * (across[p * W + j] as number);
        sum += share * (table[(i * W + j) * D + (at % D)] as number);
      }
    }
    return sum;
  });
}

describe("interpolateGrid", () => {
  test.each([
    { H: 1, W: 1, D: 4, P: 1, dense: true },
    { H: 3, W: 5, D: 260, P: 7, dense: true },
    { H: 16, W: 16, D: 768, P: 96, dense: false },
    { H: 16, W: 16, D: 1152, P: 5, dense: true },
    { H: 2, W: 3, D: 4, P: 65_600, dense: true },
  ])("$P of [$H * $W, $D], all weights: $dense", async ({ dense, ...sizes }) => {
    const { H, W, D, P } = sizes;
    const gpu = await testGpu();
    const sparse = (weight: number, i: number) => (dense || i % 7 < 2 ? weight : 0);
    const table = random(H * W * D, 1);
    const down = random(P * H, 2).map(sparse);
    const across = random(P * W, 3).map(sparse);
    const y = await runOp(gpu, (g) =>
      interpolateGrid(
        g,
        gpu.tensor("table", [H * W, D], "f32", table),
        gpu.tensor("down", [P, H], "f32", down),
        gpu.tensor("across", [P, W], "f32", across),
      ),
    );
    expectClose(y, reference(table, down, across, sizes), 1e-5);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (table: readonly number[], down: readonly number[], across: readonly number[]) =>
      runOp(gpu, (g) =>
        interpolateGrid(
          g,
          gpu.tensor("table", table),
          gpu.tensor("down", down),
          gpu.tensor("across", across),
        ),
      );
    await expect(run([6, 6], [1, 2], [1, 3])).rejects.toThrow("interpolateGrid: D is 6, expected");
    await expect(run([6, 8], [1, 2], [1, 4])).rejects.toThrow("table is [6,8], down [1,2] and");
    await expect(run([6, 8], [1, 2], [2, 3])).rejects.toThrow("across [2,3], expected [H * W, D]");
  });
});
