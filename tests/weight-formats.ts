import type { Gpu } from "../src/gpu/device.ts";
import type { Weight } from "../src/gpu/weight.ts";
import {
  allocateWeight,
  type AllocateOptions,
  type WritableWeight,
} from "../src/weights/allocate-weight.ts";
import type { FormatReference, WeightFormat } from "../src/weights/format.ts";
import { affineReference } from "../src/weights/formats/affine.ts";
import { bf16, bf16Reference } from "../src/weights/formats/bf16.ts";
import { f16, f16Reference } from "../src/weights/formats/f16.ts";
import { f32, f32Reference } from "../src/weights/formats/f32.ts";
import type { HalfType } from "../src/weights/formats/float-halves.ts";
import { fp8Format, fp8Reference } from "../src/weights/formats/fp8.ts";
import { intFormat, intReference, type Zeros } from "../src/weights/formats/int.ts";
import { mlxFormat, mlxReference } from "../src/weights/formats/mlx.ts";
import { nf4Format, nf4Reference } from "../src/weights/formats/nf4.ts";
import { q4 } from "../src/weights/formats/q4.ts";
import { q6 } from "../src/weights/formats/q6.ts";
import { q8 } from "../src/weights/formats/q8.ts";
import { WeightWriter } from "../src/weights/weight-writer.ts";
import { GGML_CASES } from "./ggml-formats.ts";

/** A format as the tests of all formats see it. */
export interface FormatCase {
  readonly title: string;
  readonly format: WeightFormat;
  readonly reference: FormatReference;
  /** The largest error of weights in [-1, 1). */
  readonly error: number;
}

/** Every format, one line each, and the layouts that only some checkpoints have. */
export const FORMAT_CASES: readonly FormatCase[] = [
  { title: "f32", format: f32, reference: f32Reference, error: 0 },
  // Half a step: of a mantissa, or of 2/255, and what 16 bits of scale add.
  { title: "f16", format: f16, reference: f16Reference, error: 2 ** -12 },
  { title: "bf16", format: bf16, reference: bf16Reference, error: 2 ** -9 },
  { title: "q8", format: q8, reference: affineReference, error: 1 / 255 + 2e-4 },
  // A whole step: where scales are searched, the largest weights may be cut by half a step.
  { title: "q6", format: q6, reference: affineReference, error: 2 / 63 },
  { title: "q4", format: q4, reference: affineReference, error: 2 / 15 },
  mlxCase(4, 64, "BF16"),
  mlxCase(4, 32, "F16"),
  mlxCase(8, 32, "BF16"),
  mlxCase(8, 64, "BF16"),
  mlxCase(2, 32, "BF16"),
  mlxCase(3, 64, "BF16"),
  mlxCase(5, 32, "BF16"),
  mlxCase(6, 32, "BF16"),
  intCase(4, 128, "F16", "stored"),
  intCase(4, 32, "BF16", "middle"),
  intCase(8, 32, "BF16", "stored"),
  // Half of the widest gap of the table, and of a step of the scales.
  { title: "nf4", format: nf4Format(64, true), reference: nf4Reference, error: 0.16 },
  { title: "nf4, plain", format: nf4Format(64, false), reference: nf4Reference, error: 0.153 },
  { title: "fp8/128", format: fp8Format(128), reference: fp8Reference, error: 2 ** -4 },
  ...GGML_CASES,
];

function mlxCase(bits: number, group: number, type: HalfType): FormatCase {
  const title = `mlx ${bits}/${group} ${type}`;
  const error = 1.01 / (2 ** bits - 1) + (type === "F16" ? 2e-3 : 2 ** -8);
  return { title, format: mlxFormat(bits, group, type), reference: mlxReference, error };
}

function intCase(bits: number, group: number, type: HalfType, zeros: Zeros): FormatCase {
  const title = `int${bits}/${group} ${type}, zeros ${zeros}`;
  const format = intFormat(bits, group, type, zeros);
  // The largest weight may be above the last code, by half a step.
  return { title, format, reference: intReference, error: 1.01 / (2 ** bits - 1) + 2 ** -8 };
}

/** @returns a format's reference; throws Error when `FORMAT_CASES` has no line for the format */
export function referenceOf({ name }: { readonly name: string }): FormatReference {
  const found = FORMAT_CASES.find(({ format }) => format.name === name);
  if (!found) throw new Error(`referenceOf: FORMAT_CASES has no line for ${name}`);
  return found.reference;
}

/** @returns `values` `[O, D]` as a matrix on the GPU in a format */
export async function makeWeight(
  gpu: Gpu,
  values: Float32Array,
  [O, D]: readonly [O: number, D: number],
  format: WeightFormat,
  options?: AllocateOptions,
): Promise<WritableWeight> {
  const weight = allocateWeight(gpu, "w", [O, D], format, options);
  const writer = new WeightWriter(gpu);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  await writer.pack(weight, 0, O, bytes, f32);
  writer.dispose();
  return weight;
}

/** @returns the words of each part of a matrix on the GPU, slices joined */
export async function readParts(gpu: Gpu, weight: Weight): Promise<Uint32Array[]> {
  const parts: number[][] = [];
  for (const slice of weight.slices) {
    for (const [i, part] of slice.parts.entries()) {
      (parts[i] ??= []).push(...new Uint32Array(await gpu.readBytes(part)));
    }
  }
  return parts.map((words) => Uint32Array.from(words));
}

/** @returns `[O, D]` of a matrix on the GPU, decoded on the CPU */
export async function readWeight(gpu: Gpu, weight: WritableWeight): Promise<Float32Array> {
  const parts = await readParts(gpu, weight);
  return referenceOf(weight.format).unpack(parts, weight.shape, weight.format);
}
