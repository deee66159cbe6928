import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { interpolateRows } from "./interpolate-rows.ts";

/** table `[R, D]`, indices and weights `[P, 4]` → `[P, D]` */
function reference(table: Float32Array, indices: Uint32Array, weights: Float32Array, D: number) {
  return Float32Array.from({ length: (indices.length / 4) * D }, (_, i) => {
    const p = Math.floor(i / D);
    let sum = 0;
    for (let j = 4 * p; j < 4 * p + 4; j++) {
      sum += (weights[j] as number) * (table[(indices[j] as number) * D + (i % D)] as number);
    }
    return sum;
  });
}

describe("interpolateRows", () => {
  test.each([
    { R: 1, D: 4, P: 1 },
    { R: 9, D: 260, P: 7 },
    { R: 2304, D: 1024, P: 56 },
    { R: 5, D: 4, P: 65_600 },
  ])("$P of [$R, $D]", async ({ R, D, P }) => {
    const gpu = await testGpu();
    const table = random(R * D, 1);
    const weights = random(P * 4, 2);
    const indices = Uint32Array.from(random(P * 4, 3), (x) => Math.floor(((x + 1) / 2) * R));
    indices[0] = R - 1;
    const y = await runOp(gpu, (g) =>
      interpolateRows(
        g,
        gpu.tensor("table", [R, D], "f32", table),
        gpu.tensor("indices", [P, 4], "u32", indices),
        gpu.tensor("weights", [P, 4], "f32", weights),
      ),
    );
    expectClose(y, reference(table, indices, weights, D), 1e-6);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (D: number, indices: readonly number[], weights: readonly number[]) =>
      runOp(gpu, (g) =>
        interpolateRows(
          g,
          gpu.tensor("table", [3, D]),
          gpu.tensor("indices", indices, "u32"),
          gpu.tensor("weights", weights),
        ),
      );
    await expect(run(6, [2, 4], [2, 4])).rejects.toThrow("interpolateRows: D is 6, expected a mul");
    await expect(run(8, [2, 3], [2, 3])).rejects.toThrow("weights [2,3], expected [2,4]");
    await expect(run(8, [2, 4], [1, 4])).rejects.toThrow("weights [1,4], expected [2,4]");
  });
});
