import { describe, expect, test } from "vitest";
import { chooseFormat } from "./choose-format.ts";

const MiB = 2 ** 20;
const GiB = 2 ** 30;

describe("chooseFormat", () => {
  test.each([
    [13 * MiB, "BF16", "layer", "bf16"],
    [64 * MiB, "F32", "layer", "f32"],
    [64 * MiB, "F16", "layer", "f16"],
    [64 * MiB + 1, "BF16", "layer", "q8"],
    [3 * GiB, "BF16", "layer", "q8"],
    [3 * GiB + 1, "BF16", "layer", "q4"],
    [9 * GiB, "BF16", "embedding", "q8"],
    [9 * GiB, "BF16", "head", "q8"],
    [9 * GiB, "BF16", "layer", "q4"],
  ] as const)("auto at %i bytes, %s %s: %s", (checkpointBytes, dtype, role, format) => {
    const quantization = "auto";
    expect(chooseFormat({ quantization, dtype, D: 1024, checkpointBytes, role })).toBe(format);
  });

  test.each(["f32", "f16", "bf16", "q8", "q4"] as const)(
    "%s as asked, at any size",
    (quantization) => {
      for (const checkpointBytes of [MiB, 9 * GiB]) {
        const role = "head";
        const format = chooseFormat({ quantization, dtype: "BF16", D: 64, checkpointBytes, role });
        expect(format).toBe(quantization);
      }
    },
  );

  test("takes the next wider format where rows don't fit", () => {
    const choose = (D: number) =>
      chooseFormat({ quantization: "q4", dtype: "F16", D, checkpointBytes: MiB, role: "layer" });
    expect(choose(40)).toBe("q4");
    expect(choose(36)).toBe("q8");
    expect(choose(33)).toBe("f32");
  });
});
