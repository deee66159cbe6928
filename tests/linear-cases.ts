import type { Gpu } from "../src/gpu/device.ts";
import type { Graph } from "../src/gpu/graph.ts";
import type { Kernels } from "../src/gpu/kernels.ts";
import type { Weight } from "../src/gpu/weight.ts";
import type { Activation } from "../src/ops/activation.ts";
import { type LinearOptions, linear } from "../src/ops/linear.ts";
import type { AllocateOptions } from "../src/weights/allocate-weight.ts";
import type { WeightFormat } from "../src/weights/format.ts";
import { q4 } from "../src/weights/formats/q4.ts";
import { expectClose, random, runOp, testGpu } from "./support.ts";
import { makeWeight, referenceOf } from "./weight-formats.ts";

/** A random matrix in a weight format, and its dequantized values. */
export async function testWeight(
  gpu: Gpu,
  O: number,
  D: number,
  format: WeightFormat,
  options: AllocateOptions = {},
): Promise<{ weight: Weight; values: Float32Array }> {
  const source = random(O * D, O + D);
  const weight = await makeWeight(gpu, source, [O, D], format, options);
  const { pack, unpack } = referenceOf(format);
  return { weight, values: unpack(pack(source, D, format), [O, D], format) };
}

export function release(gpu: Gpu, weight: Weight): void {
  for (const { parts } of weight.slices) for (const { buffer } of parts) gpu.release(buffer!);
}

/** x W^T in double precision. */
export function product(x: Float32Array, w: Float32Array, D: number): Float64Array {
  const [T, O] = [x.length / D, w.length / D];
  const y = new Float64Array(T * O);
  for (let t = 0; t < T; t++) {
    for (let o = 0; o < O; o++) {
      let sum = 0;
      for (let k = 0; k < D; k++) sum += x[t * D + k]! * w[o * D + k]!;
      y[t * O + o] = sum;
    }
  }
  return y;
}

export const ACTIVATED: Record<Activation, (v: number) => number> = {
  silu: (v) => v / (1 + Math.exp(-v)),
  quick_gelu: (v) => v / (1 + Math.exp(-1.702 * v)),
  gelu_tanh: (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  gelu: (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
  relu: (v) => Math.max(0, v),
};

/** A product and what is done with it before and after, with `F` outputs. */
export interface Fused extends Pick<LinearOptions, "activation" | "gated"> {
  readonly F: number;
  readonly bias?: boolean;
  readonly norm?: boolean;
  readonly outputNorm?: boolean;
  /** Of the norms. */
  readonly offset?: 0 | 1;
  readonly residual?: boolean;
}

/** Rows of D, each divided by its root mean square, times the weight. */
function normed(x: Float64Array, weight: Float32Array, eps: number, offset: number): Float64Array {
  const D = weight.length;
  return x.map((value, i) => {
    const row = x.subarray(i - (i % D), i - (i % D) + D);
    const mean = row.reduce((sum, v) => sum + v * v, 0) / D;
    return (value / Math.sqrt(mean + eps)) * (weight[i % D]! + offset);
  });
}

/** The options of a case for T rows of D inputs, and what its product must be. */
export function fusedCase(gpu: Gpu, one: Fused, values: Float32Array, T: number, D: number) {
  const { F, offset = 0, gated, activation } = one;
  const O = values.length / D;
  const eps = 0.1;
  const [x, bias, residual] = [random(T * D, T), random(O, 11), random(T * F, 12)];
  const [inputs, outputs] = [random(D, 13), random(F, 14)];
  let rows: Float64Array = Float64Array.from(x);
  if (one.norm) rows = normed(rows, inputs, eps, offset);
  const sums = product(Float32Array.from(rows), values, D).map(
    (sum, i) => sum + (one.bias ? bias[i % O]! : 0),
  );
  const act = ACTIVATED[gated ?? activation ?? "gelu"];
  let y: Float64Array = Float64Array.from({ length: T * F }, (_, i) => {
    const at = Math.floor(i / F) * O + (i % F);
    if (gated) return act(sums[at]!) * sums[at + F]!;
    return activation ? act(sums[at]!) : sums[at]!;
  });
  if (one.outputNorm) y = normed(y, outputs, eps, offset);
  if (one.residual) y = y.map((value, i) => value + residual[i]!);
  const tensor = (label: string, data: Float32Array, shape: readonly number[]) =>
    gpu.tensor(label, shape, "f32", data);
  const norm = (weight: Float32Array) => {
    return { weight: tensor("norm", weight, [weight.length]), eps, offset };
  };
  const options: LinearOptions = {
    ...(gated && { gated }),
    ...(activation && { activation }),
    ...(one.bias && { bias: tensor("bias", bias, [O]) }),
    ...(one.norm && { norm: norm(inputs) }),
    ...(one.outputNorm && { outputNorm: norm(outputs) }),
    ...(one.residual && { residual: tensor("residual", residual, [T, F]) }),
  };
  return { options, expected: y, x: tensor("x", x, [T, D]) };
}

export const FUSED: readonly Fused[] = [
  { F: 37, gated: "silu" },
  { F: 64, gated: "gelu_tanh", bias: true, norm: true },
  { F: 5, norm: true, bias: true },
  { F: 131, norm: true, offset: 1, activation: "gelu", residual: true },
  { F: 76, outputNorm: true, residual: true },
  { F: 4, outputNorm: true, norm: true, offset: 1, bias: true, residual: true },
];

/** Checks a product that is recorded in one with what comes before and after it. */
export async function checkFused(one: Fused, kernels?: Kernels): Promise<void> {
  const gpu = await testGpu();
  const D = 216;
  const { weight, values } = await testWeight(gpu, one.F * (one.gated ? 2 : 1), D, q4);
  for (const T of one.gated ? [1, 3, 9, 65] : [1, 3, 9]) {
    const { options, expected, x } = fusedCase(gpu, one, values, T, D);
    // Twice, since what workgroups count must be 0 again.
    const record = (g: Graph) => {
      linear(g, x, weight, options);
      return linear(g, x, weight, options);
    };
    expectClose(await runOp(gpu, record, kernels), expected, 1e-5);
  }
  release(gpu, weight);
}

/** The error function by its series, or by its continued fraction where that converges faster. */
function erf(x: number): number {
  if (Math.abs(x) < 3) {
    let [term, sum] = [x, x];
    for (let n = 1; n < 80; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 40; n > 0; n--) fraction = n / 2 / (Math.abs(x) + fraction);
  const tail = Math.exp(-x * x) / Math.sqrt(Math.PI) / (Math.abs(x) + fraction);
  return Math.sign(x) * (1 - tail);
}
