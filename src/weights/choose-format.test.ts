import { describe, expect, test } from "vitest";
import { chooseFormat } from "./choose-format.ts";
import { bf16 } from "./formats/bf16.ts";
import { f16 } from "./formats/f16.ts";
import { f32 } from "./formats/f32.ts";
import { q4InBlocksOf } from "./formats/q4.ts";
import { WEIGHT_FORMATS } from "./formats/registry.ts";

const MiB = 2 ** 20;
const GiB = 2 ** 30;

describe("chooseFormat", () => {
  test.each([
    [13 * MiB, bf16, "layer", "bf16"],
    [64 * MiB, f32, "layer", "f32"],
    [64 * MiB, f16, "layer", "f16"],
    [64 * MiB + 1, bf16, "layer", "q8"],
    [3 * GiB, bf16, "layer", "q8"],
    [3 * GiB + 1, bf16, "layer", "q4"],
    [9 * GiB, bf16, "embedding", "q8"],
    [9 * GiB, bf16, "head", "q8"],
    [9 * GiB, bf16, "layer", "q4"],
  ] as const)("auto at %i bytes, %o, a %s: %s", (checkpointBytes, stored, role, name) => {
    const quantization = "auto";
    const format = chooseFormat({ quantization, stored, D: 1024, checkpointBytes, role });
    expect(format.name).toBe(name);
  });

  test.each(WEIGHT_FORMATS.map((format) => [format.name, format] as const))(
    "%s as asked, at any size",
    (quantization, asked) => {
      for (const checkpointBytes of [MiB, 9 * GiB]) {
        const role = "head";
        const format = chooseFormat({ quantization, stored: bf16, D: 64, checkpointBytes, role });
        expect(format).toBe(asked);
      }
    },
  );

  test("takes the next wider format when rows don't fit", () => {
    const choose = (D: number) =>
      chooseFormat({ quantization: "q4", stored: f16, D, checkpointBytes: MiB, role: "layer" })
        .name;
    expect(choose(40)).toBe("q4");
    expect(choose(36)).toBe("q8");
    expect(choose(33)).toBe("f32");
  });

  test("keeps a matrix that is packed in the checkpoint", () => {
    const stored = q4InBlocksOf(64);
    const format = chooseFormat({
      quantization: "q8",
      stored,
      D: 64,
      checkpointBytes: 9 * GiB,
      role: "layer",
    });
    expect(format).toBe(stored);
  });
});
