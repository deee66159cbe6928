import bias from "../../shaders/epilogue/bias.wgsl?raw";
import epilogue from "../../shaders/epilogue/epilogue.wgsl?raw";
import noActivation from "../../shaders/epilogue/no-activation.wgsl?raw";
import noBias from "../../shaders/epilogue/no-bias.wgsl?raw";
import noResidual from "../../shaders/epilogue/no-residual.wgsl?raw";
import residual from "../../shaders/epilogue/residual.wgsl?raw";
import matmul from "../../shaders/matmul.wgsl?raw";
import matvec from "../../shaders/matvec.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Kernels } from "../gpu/kernels.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import type { Weight } from "../gpu/weight.ts";
import { ACTIVATIONS, type Activation } from "./activation.ts";
import { gatherColumns } from "./gather-columns.ts";
import { fold } from "./grid.ts";

export interface LinearOptions {
  /** `[O]` */
  readonly bias?: Tensor;
  readonly activation?: Activation;
  /** `[R, O]`, where R divides T: row t of the product adds row t mod R of this. */
  readonly residual?: Tensor;
}

/** A shader of matrix products, and how its workgroups share the work. */
interface MatmulKernel {
  readonly name: string;
  readonly code: string;
  /** Rows of x that one workgroup computes. */
  readonly rowTile: number;
  /** The grid over all rows of x and `outputs` rows of the weight. */
  readonly grid: (outputs: number) => [number, number];
}

/** Up to this many rows of x, `matvec` reads each weight once for all of them. */
const MATVEC_ROWS = 8;

/** The outputs that one workgroup of `matmul` and of `matmul-direct` computes. */
const TILE_OUTPUTS = 64;

function chooseKernel({ software, features }: Kernels, T: number): MatmulKernel {
  const tiles =
    (rowTile: number) =>
    (outputs: number): [number, number] => [
      Math.ceil(T / rowTile),
      Math.ceil(outputs / TILE_OUTPUTS),
    ];
  if (software) {
    const rowTile = Math.min(2 ** Math.ceil(Math.log2(T)), 16);
    const { matmulDirect, matmulRows, matmulRowsSubgroups } = software;
    const rows = features.has("subgroups") ? matmulRowsSubgroups : matmulRows;
    // WGSL wants `enable`, which `rows` may have, before everything else.
    const code = rows + matmulDirect;
    return { name: "matmul-direct", code, rowTile, grid: tiles(rowTile) };
  }
  if (T <= MATVEC_ROWS) {
    const rowTile = 2 ** Math.ceil(Math.log2(T));
    const grid = (outputs: number) => fold(Math.ceil(outputs / 4));
    return { name: "matvec", code: matvec, rowTile, grid };
  }
  const rowTile = T <= 32 ? 32 : 64;
  return { name: "matmul", code: matmul, rowTile, grid: tiles(rowTile) };
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
  const { name, code, rowTile, grid } = chooseKernel(g.kernels, T);
  const finish = [
    options.bias ? bias : noBias,
    options.activation ? ACTIVATIONS[options.activation] : noActivation,
    options.residual ? residual : noResidual,
    epilogue,
  ];
  const inputs = new Map<Tensor | undefined, Tensor>([[undefined, x]]);
  for (const { first, rows, format, parts, columns } of w.slices) {
    const input = inputs.get(columns) ?? gatherColumns(g, x, columns as Tensor);
    inputs.set(columns, input);
    g.dispatch(
      {
        name: `${name} ${format.name} ${D}x${O}`,
        code: [code, format.code, ...finish].join("\n"),
        constants: {
          D,
          ROW_TILE: rowTile,
          ...(first > 0 && { FIRST: first }),
          ...format.constants,
        },
      },
      [[input, y], parts, ...groups],
      grid(rows),
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
