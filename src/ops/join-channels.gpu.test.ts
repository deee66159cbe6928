import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { joinChannels } from "./join-channels.ts";

describe("joinChannels", () => {
  test.each([
    { T: 1, D: 4, E: 4, others: 1, start: 0, count: 1 },
    { T: 9, D: 33, E: 33, others: 5, start: 2, count: 6 },
    { T: 300, D: 64, E: 64, others: 2, start: 299, count: 1 },
    { T: 5, D: 3, E: 2, others: 3, start: 0, count: 5 },
    { T: 4, D: 7, E: 0, others: 0, start: 1, count: 2 },
  ])("$count rows from $start on of [$T, $D] and $others of $E", async (sizes) => {
    const { T, D, E, others, start, count } = sizes;
    const gpu = await testGpu();
    const x = random(T * D, 1);
    // The others may have more rows than x.
    const more = Array.from({ length: others }, (_, i) => random((T + 2) * E, 2 + i));
    const y = await runOp(gpu, (g) =>
      joinChannels(
        g,
        gpu.tensor("x", [T, D], "f32", x),
        more.map((data) => gpu.tensor("other", [T + 2, E], "f32", data)),
        { start, count },
      ),
    );
    const expected = Array.from({ length: count }, (_, i) => start + i).flatMap((t) => [
      ...x.subarray(t * D, (t + 1) * D),
      ...Array.from({ length: E }, (_, d) => more.map((data) => data[t * E + d] as number)).flat(),
    ]);
    expectClose(y, expected, 0);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (others: number[][], count: number) =>
      runOp(gpu, (g) => {
        const more = others.map((shape) => gpu.tensor("other", shape));
        return joinChannels(g, gpu.tensor("x", [3, 4]), more, { start: 1, count });
      });
    const unlike = [
      [3, 4],
      [3, 5],
    ];
    await expect(run([[2, 4]], 2)).rejects.toThrow("joinChannels: others are [2,4], expected [at");
    await expect(run(unlike, 2)).rejects.toThrow("[3,4], [3,5]");
    await expect(run([[3, 4]], 3)).rejects.toThrow("rows 1 ..< 4 within 3");
  });
});
