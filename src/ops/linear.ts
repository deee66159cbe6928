import bias from "../../shaders/epilogue/bias.wgsl?raw";
import epilogue from "../../shaders/epilogue/epilogue.wgsl?raw";
import noActivation from "../../shaders/epilogue/no-activation.wgsl?raw";
import noBias from "../../shaders/epilogue/no-bias.wgsl?raw";
import noResidual from "../../shaders/epilogue/no-residual.wgsl?raw";
import residual from "../../shaders/epilogue/residual.wgsl?raw";
import reduce from "../../shaders/lib/reduce.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import type { Weight } from "../gpu/weight.ts";
import { ACTIVATIONS, type Activation } from "./activation.ts";
import { gatherColumns } from "./gather-columns.ts";
import { glu } from "./glu.ts";
import { fold } from "./grid.ts";
import { type MatmulKernel, chooseKernel } from "./linear-kernels.ts";
import { type RmsNorm, rmsNorm } from "./rms-norm.ts";

export interface LinearOptions {
  /** Of x, before the product. Default: none. */
  readonly norm?: RmsNorm | undefined;
  /** `[O]` */
  readonly bias?: Tensor;
  readonly activation?: Activation;
  /** The first half of w's rows are gates, the others ups: y is activation(gates) * ups, `[T, O/2]`. */
  readonly gated?: Activation;
  /** Of the product, before the residual is added. Default: none. */
  readonly outputNorm?: RmsNorm | undefined;
  /** `[R, O]`, where R divides T: row t of the product adds row t mod R of this. */
  readonly residual?: Tensor;
}

/**
 * y = activation(norm(x) Wᵀ + bias) + residual, in one dispatch for each slice of W where the adapter's
 * kernel has all of it, and else in several.
 *
 * @param x `[T, D]`
 * @param w `[O, D]`
 * @returns `[T, O]`, or `[T, O/2]` where it is `gated`
 * @throws TypeError when the shapes don't fit
 */
export function linear(g: Graph, x: Tensor, w: Weight, options: LinearOptions = {}): Tensor {
  const { norm, gated, outputNorm, ...plain } = options;
  const T = elementCount(x.shape) / w.shape[1];
  checkShapes(x, w, T, options);
  const kernels = w.slices.map(({ format }) => chooseKernel(g.kernels, T, w.shape, format));
  const isWhole = w.slices.length === 1;
  const hasNorms = kernels.every((kernel) => kernel.hasNorms) && fits(g, w, options);
  if (norm && !(hasNorms && w.slices.every(({ columns }) => !columns))) {
    const normed = rmsNorm(g, x, norm.weight, norm.eps, norm);
    return linear(g, normed, w, { ...options, norm: undefined });
  }
  if (gated && !isWhole) return glu(g, linear(g, x, w, { ...plain, norm }), gated);
  if (outputNorm && !(hasNorms && isWhole && plain.residual)) {
    const { residual, ...rest } = plain;
    const y = linear(g, x, w, { ...rest, norm });
    return rmsNorm(g, y, outputNorm.weight, outputNorm.eps, { ...outputNorm, residual });
  }
  return record(g, x, w, T, kernels, options);
}

/** Whether the device binds all that a product with norms reads and writes. */
function fits(g: Graph, w: Weight, { norm, bias, residual, outputNorm }: LinearOptions): boolean {
  const parts = Math.max(...w.slices.map(({ parts }) => parts.length));
  const others = [norm, bias, residual, outputNorm, outputNorm].filter(Boolean);
  return 2 + parts + others.length <= g.gpu.device.limits.maxStorageBuffersPerShaderStage;
}

/** @param kernels of each slice */
function record(
  g: Graph,
  x: Tensor,
  w: Weight,
  T: number,
  kernels: readonly MatmulKernel[],
  { norm, bias: biases, activation, gated, outputNorm, residual: added }: LinearOptions,
): Tensor {
  const [W, D] = w.shape;
  const O = gated ? W / 2 : W;
  const y = g.scratch([T, O], "linear");
  const active = gated ?? activation;
  const finish = [
    biases ? bias : noBias,
    active ? ACTIVATIONS[active] : noActivation,
    added && !outputNorm ? residual : noResidual,
    epilogue,
  ];
  const { normInput, noNorm, normOutput, arrival, plainOutput, sumParts } =
    g.kernels.hardware ?? {};
  const norms = [
    norm ? normInput : noNorm,
    ...(outputNorm ? [normOutput, arrival, reduce] : [plainOutput]),
  ];
  // A counter and the outputs, for the workgroup that norms them. Dispatches take turns with it.
  const work =
    outputNorm &&
    g.gpu.constant(`outputs ${T * O}`, [1 + T * O], "u32", () => new Uint32Array(1 + T * O));
  const groups = [
    biases ? [biases] : [],
    added && !outputNorm ? [added] : [],
    norm ? [norm.weight] : [],
    outputNorm ? [work!, outputNorm.weight, added!] : [],
  ];
  const shared: Record<string, number> = gated ? { GATED: 1 } : {};
  const constants = {
    D,
    ...shared,
    ...(norm && { EPS: norm.eps, OFFSET: norm.offset ?? 0 }),
    ...(outputNorm && { OUTPUT_EPS: outputNorm.eps, OUTPUT_OFFSET: outputNorm.offset ?? 0 }),
  };
  let sums: Tensor | undefined;
  const inputs = new Map<Tensor | undefined, Tensor>([[undefined, x]]);
  w.slices.forEach(({ first, rows, format, parts, columns }, i) => {
    const input = inputs.get(columns) ?? gatherColumns(g, x, columns as Tensor);
    inputs.set(columns, input);
    const kernel = kernels[i] as MatmulKernel;
    if (kernel.parts! > 1) sums ??= g.scratch([kernel.parts!, T, W], "linear parts");
    g.dispatch(
      {
        name: `${kernel.name} ${format.name} ${D}x${W}`,
        code: [kernel.code, ...(kernel.hasNorms ? norms : []), ...finish].join("\n"),
        constants: {
          ...constants,
          ...kernel.constants,
          ...(first > 0 && { FIRST: first }),
          ...format.constants,
        },
      },
      [[input, sums ?? y], parts, ...groups],
      kernel.grid(rows),
    );
  });
  if (sums) {
    g.dispatch(
      {
        name: "sum-parts",
        code: [sumParts, ...finish].join("\n"),
        constants: { ...shared, O, PARTS: sums.shape[0]! },
      },
      [[sums, y], [], ...groups],
      fold(Math.ceil((T * O) / 64)),
    );
  }
  return y;
}

function checkShapes(
  x: Tensor,
  w: Weight,
  T: number,
  { norm, bias, gated, residual, outputNorm }: LinearOptions,
): void {
  const [O, D] = w.shape;
  if (x.shape.at(-1) !== D || !Number.isInteger(T)) {
    throw new TypeError(`linear: x is [${x.shape}], ${w.label} is [${w.shape}]`);
  }
  if (gated && (O % 2 !== 0 || residual || outputNorm)) {
    throw new TypeError(`linear: ${w.label} is [${w.shape}], expected as many gates as ups`);
  }
  for (const [name, tensor, width] of [
    ["bias", bias, O],
    ["norm", norm?.weight, D],
    ["outputNorm", outputNorm?.weight, O],
  ] as const) {
    if (tensor && elementCount(tensor.shape) !== width) {
      throw new TypeError(`linear: ${name} is [${tensor.shape}], ${w.label} is [${w.shape}]`);
    }
  }
  if (residual && (residual.shape.at(-1) !== O || (T * O) % elementCount(residual.shape) !== 0)) {
    throw new TypeError(`linear: residual is [${residual.shape}], the product [${T},${O}]`);
  }
}
