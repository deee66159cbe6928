import bias from "../../shaders/epilogue/bias.wgsl?raw";
import epilogue from "../../shaders/epilogue/epilogue.wgsl?raw";
import noActivation from "../../shaders/epilogue/no-activation.wgsl?raw";
import noBias from "../../shaders/epilogue/no-bias.wgsl?raw";
import noResidual from "../../shaders/epilogue/no-residual.wgsl?raw";
import residual from "../../shaders/epilogue/residual.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import type { Weight } from "../gpu/weight.ts";
import { ACTIVATIONS, type Activation } from "./activation.ts";
import { gatherColumns } from "./gather-columns.ts";
import { fold } from "./grid.ts";
import { chooseKernel } from "./linear-kernels.ts";

export interface LinearOptions {
  /** `[O]` */
  readonly bias?: Tensor;
  readonly activation?: Activation;
  /** `[R, O]`, where R divides T: row t of the product adds row t mod R of this. */
  readonly residual?: Tensor;
}

/**
 * y = activation(x Wᵀ + bias) + residual.
 *
 * @param x `[T, D]`
 * @param w `[O, D]`
 * @returns `[T, O]`
 * @throws TypeError when the shapes don't fit
 */
export function linear(g: Graph, x: Tensor, w: Weight, options: LinearOptions = {}): Tensor {
  const [O, D] = w.shape;
  const T = elementCount(x.shape) / D;
  checkShapes(x, w, T, options);
  const y = g.scratch([T, O], "linear");
  const epilogueGroups = [
    options.bias ? [options.bias] : [],
    ...(options.residual ? [[options.residual]] : []),
  ];
  const groups = options.bias || options.residual ? epilogueGroups : [];
  const finish = [
    options.bias ? bias : noBias,
    options.activation ? ACTIVATIONS[options.activation] : noActivation,
    options.residual ? residual : noResidual,
    epilogue,
  ];
  let sums: Tensor | undefined;
  const inputs = new Map<Tensor | undefined, Tensor>([[undefined, x]]);
  for (const { first, rows, format, parts, columns } of w.slices) {
    const input = inputs.get(columns) ?? gatherColumns(g, x, columns as Tensor);
    inputs.set(columns, input);
    const kernel = chooseKernel(g.kernels, T, w.shape, format);
    if (kernel.parts! > 1) sums ??= g.scratch([kernel.parts!, T, O], "linear parts");
    g.dispatch(
      {
        name: `${kernel.name} ${format.name} ${D}x${O}`,
        code: [kernel.code, ...finish].join("\n"),
        constants: {
          D,
          ...kernel.constants,
          ...(first > 0 && { FIRST: first }),
          ...format.constants,
        },
      },
      [[input, sums ?? y], parts, ...groups],
      kernel.grid(rows),
    );
  }
  const { hardware } = g.kernels;
  if (sums && hardware) {
    const constants = { O, PARTS: sums.shape[0]! };
    g.dispatch(
      { name: "sum-parts", code: [hardware.sumParts, ...finish].join("\n"), constants },
      [[sums, y], [], ...groups],
      fold(Math.ceil((T * O) / 64)),
    );
  }
  return y;
}

function checkShapes(x: Tensor, w: Weight, T: number, { bias, residual }: LinearOptions): void {
  const [O, D] = w.shape;
  if (x.shape.at(-1) !== D || !Number.isInteger(T)) {
    throw new TypeError(`linear: x is [${x.shape}], ${w.label} is [${w.shape}]`);
  }
  if (bias && elementCount(bias.shape) !== O) {
    throw new TypeError(`linear: bias is [${bias.shape}], ${w.label} is [${w.shape}]`);
  }
  if (residual && (residual.shape.at(-1) !== O || (T * O) % elementCount(residual.shape) !== 0)) {
    throw new TypeError(`linear: residual is [${residual.shape}], the product [${T},${O}]`);
  }
}
