import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { addGated } from "./add-gated.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "./row.ts";

describe("addGated", () => {
  test.each([
    { T: 1, D: 4, complement: false, masked: false },
    { T: 7, D: 33, complement: true, masked: false },
    { T: 300, D: 257, complement: false, masked: true },
    { T: 9, D: 64, complement: true, masked: true },
  ])("[$T, $D], complement $complement, masked $masked", async ({ T, D, complement, masked }) => {
    const gpu = await testGpu();
    const [a, b] = [random(T * D, 1), random(T * D, 2)];
    const words = new Uint32Array(T * ROW_WORDS);
    const opens = (t: number): boolean => !masked || t % 3 === 1;
    for (let t = 0; t < T; t++) writeRow(words, t, { ...IDLE_ROW, afterImage: opens(t) });
    for (const gate of [0.8, -0.3]) {
      const y = await runOp(gpu, (g) =>
        addGated(
          g,
          gpu.tensor("a", [T, D], "f32", a),
          gpu.tensor("b", [T, D], "f32", b),
          gpu.tensor("gate", [1], "f32", Float32Array.of(gate)),
          {
            complement,
            ...(masked && { afterImage: gpu.tensor("rows", [T, ROW_WORDS], "u32", words) }),
          },
        ),
      );
      const factor = complement ? 1 - Math.tanh(gate) : Math.tanh(gate);
      expectClose(
        y,
        a.map((value, i) => value + (opens(Math.floor(i / D)) ? factor * (b[i] as number) : 0)),
        1e-5,
      );
    }
  });

  test("adds nothing to rows before an image, not even NaN", async () => {
    const gpu = await testGpu();
    const y = await runOp(gpu, (g) =>
      addGated(
        g,
        gpu.tensor("a", [2, 4], "f32", random(8, 1)),
        gpu.tensor("b", [2, 4], "f32", new Float32Array(8).fill(NaN)),
        gpu.tensor("gate", [1], "f32", Float32Array.of(1)),
        { afterImage: gpu.tensor("rows", [2, ROW_WORDS], "u32") },
      ),
    );
    expect(y).toEqual(random(8, 1));
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (b: number[], gate: number[], rows: number[]) =>
      runOp(gpu, (g) =>
        addGated(g, gpu.tensor("a", [3, 4]), gpu.tensor("b", b), gpu.tensor("gate", gate), {
          afterImage: gpu.tensor("rows", rows, "u32"),
        }),
      );
    await expect(run([1, 4], [1], [3, 12])).rejects.toThrow("addGated: b is [1,4] and gate [1]");
    await expect(run([3, 4], [2], [3, 12])).rejects.toThrow("gate [2], expected [3,4] and [1]");
    await expect(run([3, 4], [1], [2, 12])).rejects.toThrow(
      "afterImage is [2,12], expected [3,12]",
    );
  });
});
