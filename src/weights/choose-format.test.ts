import { describe, expect, test } from "vitest";
import {
  AUTO_LEVELS,
  type AutoLevel,
  type MatrixInfo,
  chooseFormat,
  isHeadTied,
  layerCounter,
  widestLevel,
} from "./choose-format.ts";
import { bf16 } from "./formats/bf16.ts";
import { f16 } from "./formats/f16.ts";
import { mlx } from "./formats/mlx.ts";
import { WEIGHT_FORMATS } from "./formats/registry.ts";

const MiB = 2 ** 20;
const LAYER: MatrixInfo = {
  ...{ part: "text", role: "layer", stored: bf16, D: 1024, layers: 24, isTied: false },
  name: "model.layers.5.self_attn.q_proj.weight",
};
const inLayer = (i: number, matrix: string) => ({ name: `model.layers.${i}.${matrix}.weight` });

describe("chooseFormat", () => {
  test.each([
    ["stored", {}, "bf16"],
    ["stored", { part: "vision", stored: f16 }, "f16"],
    ["q8", {}, "q8"],
    ["q8", { role: "embedding" }, "q8"],
    ["q6", {}, "q6"],
    ["q6", { role: "head" }, "q6"],
    ["q6", { role: "embedding" }, "q4"],
    ["q6", { role: "embedding", isTied: true }, "q6"],
    ["mixed", {}, "q4"],
    ["mixed", { role: "embedding" }, "q4"],
    ["mixed", { role: "embedding", isTied: true }, "q6"],
    ["mixed", { role: "head" }, "q6"],
    ["mixed", inLayer(0, "self_attn.v_proj"), "q6"],
    ["mixed", inLayer(0, "mlp.down_proj"), "q6"],
    ["mixed", inLayer(0, "feed_forward.w2"), "q6"],
    ["mixed", { name: "blk.0.ffn_down.weight" }, "q6"],
    ["mixed", inLayer(0, "mlp.up_proj"), "q4"],
    ["q4", inLayer(0, "self_attn.v_proj"), "q4"],
    ["q4", { role: "head" }, "q4"],
    ["q4", { role: "embedding" }, "q4"],
  ] as const)("auto, %s: %o is in %s", (auto, more, name) => {
    expect(chooseFormat({ auto }, { ...LAYER, ...more }).name).toBe(name);
  });

  test.each(AUTO_LEVELS.slice(1))("auto, %s: towers and connectors keep 8 bits", (auto) => {
    for (const part of ["vision", "connector"] as const) {
      for (const role of ["layer", "embedding"] as const) {
        expect(chooseFormat({ auto }, { ...LAYER, part, role }).name).toBe("q8");
      }
    }
  });

  test("auto, mixed: half of the layers have wide matrices: both ends, and every third between", () => {
    const wide = Array.from({ length: 24 }, (_, i) => i).filter((i) => {
      const matrix = { ...LAYER, ...inLayer(i, "mlp.down_proj") };
      return chooseFormat({ auto: "mixed" }, matrix).name === "q6";
    });
    expect(wide).toEqual([0, 1, 2, 5, 8, 11, 14, 17, 20, 21, 22, 23]);
  });

  test.each(WEIGHT_FORMATS.map((format) => [format.name, format] as const))(
    "%s as asked, for every part",
    (quantization, asked) => {
      for (const part of ["text", "vision", "connector"] as const) {
        expect(chooseFormat(quantization, { ...LAYER, part, role: "head" })).toBe(asked);
      }
    },
  );

  test("takes the next wider format when rows don't fit", () => {
    const choose = (D: number) => chooseFormat("q4", { ...LAYER, stored: f16, D }).name;
    expect(choose(40)).toBe("q4");
    expect(choose(36)).toBe("q6");
    expect(choose(33)).toBe("f32");
  });

  test("takes another format when a block would reach over a cut", () => {
    const choose = (quantization: "q8" | "q4") =>
      chooseFormat(quantization, { ...LAYER, D: 128, cut: 32 }).name;
    expect([choose("q4"), choose("q8")]).toEqual(["q4", "bf16"]);
  });

  test("keeps a matrix that is packed in the checkpoint", () => {
    const stored = mlx;
    expect(chooseFormat("q8", { ...LAYER, stored, D: 64 })).toBe(stored);
    expect(chooseFormat({ auto: "q8" }, { ...LAYER, stored, D: 64 })).toBe(stored);
  });
});

test.each<[number, AutoLevel]>([
  [13 * MiB, "stored"],
  [64 * MiB, "stored"],
  [64 * MiB + 1, "q8"],
  [9000 * MiB, "q8"],
])("the widest level of %i bytes is %s", (bytes, level) => {
  expect(widestLevel(bytes)).toBe(level);
});

test.each([
  [["model.embed_tokens.weight"], true],
  [["model.embed_tokens.weight", "language_model.lm_head.weight"], false],
  [["lm_head.qweight"], false],
  [["token_embd.weight", "blk.0.attn_output.weight"], true],
  [["token_embd.weight", "output.weight"], false],
])("with %j the head is tied: %s", (names, isTied) => {
  expect(isHeadTied(names)).toBe(isTied);
});

test("layers are counted within the stack of a tensor", () => {
  const names = ["vision.layers.30.a", "model.layers.0.a", "model.layers.11.b", "model.norm"];
  const layersOf = layerCounter(names);
  expect(layersOf("model.layers.3.mlp.weight")).toBe(12);
  expect(layersOf("vision.layers.0.a")).toBe(31);
  expect(layersOf("model.norm")).toBe(0);
});
