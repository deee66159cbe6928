import { LEVELS } from "../bench/levels/levels.ts";
import { elementCount } from "../src/gpu/tensor.ts";
import { createModel } from "../src/models/registry.ts";
import { recordModel } from "../src/runtime/plan-auto.ts";
import { chooseFormat, isHeadTied, layerCounter } from "../src/weights/choose-format.ts";
import { rowBytes, type WeightFormat } from "../src/weights/format.ts";
import { bf16 } from "../src/weights/formats/bf16.ts";
import { publishedRepository } from "./published-repositories.ts";
import { normal, rmsError } from "./support.ts";
import { referenceOf } from "./weight-formats.ts";

/** What a level costs, as the table of docs/design/weight-formats.md shows it. */
export interface LevelSizes {
  /** Bits of a weight of the text model, scales included. */
  readonly bits: string;
  /** GPU memory of the whole model. */
  readonly memory: string;
  /** Error of the text model's weights, as a share of their size, if they are normally distributed. */
  readonly error: string;
}

/** The model whose shapes the table is of. */
const TABLE_MODEL = "Qwen/Qwen3-VL-2B-Instruct";

/** @returns the sizes of each level, by its title */
export async function levelSizes(): Promise<ReadonlyMap<string, LevelSizes>> {
  const { checkpoint } = publishedRepository(TABLE_MODEL);
  const all = [...checkpoint.tensors.keys()];
  const [layersOf, isTied] = [layerCounter(all), isHeadTied(all)];
  const errors = new Map<WeightFormat, number>();
  const sizes = new Map<string, LevelSizes>();
  for (const { title, quantization, kvCache = "f32" } of LEVELS) {
    const recorded = await recordModel(createModel, checkpoint, { kvCache }, quantization);
    let [weights, bits, squares] = [0, 0, 0];
    for (const { part, role, tensors } of recorded.weights.allocated) {
      if (part !== "text" || !role) continue;
      for (const name of tensors) {
        const { shape } = checkpoint.tensors.get(name)!;
        const [O = 0, D = 0] = shape;
        const info = { part, role, name, layers: layersOf(name), isTied, stored: bf16, D };
        const format = chooseFormat(quantization, info);
        if (!errors.has(format)) errors.set(format, errorOf(format));
        weights += elementCount(shape);
        bits += 8 * O * rowBytes(format, D);
        squares += elementCount(shape) * errors.get(format)! ** 2;
      }
    }
    sizes.set(title, {
      bits: (bits / weights).toFixed(1),
      memory: `${(recorded.deviceBytes / 2 ** 30).toFixed(2)} GiB`,
      error: `${(100 * Math.sqrt(squares / weights)).toFixed(2)} %`,
    });
  }
  return sizes;
}

function errorOf(format: WeightFormat): number {
  const values = normal(2 ** 16);
  const { pack, unpack } = referenceOf(format);
  const D = 256;
  return rmsError(unpack(pack(values, D, format), [values.length / D, D], format), values);
}
