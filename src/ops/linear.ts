import bias from "../../shaders/epilogue/bias.wgsl?raw";
import epilogue from "../../shaders/epilogue/epilogue.wgsl?raw";
import noActivation from "../../shaders/epilogue/no-activation.wgsl?raw";
import noBias from "../../shaders/epilogue/no-bias.wgsl?raw";
import noResidual from "../../shaders/epilogue/no-residual.wgsl?raw";
import residual from "../../shaders/epilogue/residual.wgsl?raw";
import matmulDirect from "../../shaders/matmul-direct.wgsl?raw";
import matmulRowsSubgroups from "../../shaders/matmul-rows-subgroups.wgsl?raw";
import matmulRows from "../../shaders/matmul-rows.wgsl?raw";
import matmul from "../../shaders/matmul.wgsl?raw";
import matvec from "../../shaders/matvec.wgsl?raw";
import type { Gpu } from "../gpu/device.ts";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import type { Weight } from "../gpu/weight.ts";
import { ACTIVATIONS, type Activation } from "./activation.ts";
import { fold } from "./grid.ts";
import { matmulVariant } from "./matmul-variant.ts";

export interface LinearOptions {
  /** `[O]` */
  readonly bias?: Tensor;
  readonly activation?: Activation;
  /** `[R, O]`, R dividing T: row t adds its row t mod R. */
  readonly residual?: Tensor;
}

/** A shader, how many rows one workgroup of it takes, and its grid for some rows of a weight. */
interface Variant {
  readonly name: string;
  readonly code: string;
  readonly rowTile: number;
  readonly grid: (rows: number) => [number, number];
}

/** Rows up to which `matvec` reads each weight once for all of them. */
const MATVEC_ROWS = 8;

function chooseVariant(gpu: Gpu, T: number): Variant {
  if (matmulVariant(gpu) === "direct") {
    const rowTile = Math.min(2 ** Math.ceil(Math.log2(T)), 16);
    const rows = gpu.device.features.has("subgroups") ? matmulRowsSubgroups : matmulRows;
    const grid = (rows: number): [number, number] => [Math.ceil(T / rowTile), Math.ceil(rows / 64)];
    // First comes what may hold an `enable`.
    return { name: "matmul_direct", code: rows + matmulDirect, rowTile, grid };
  }
  if (T <= MATVEC_ROWS) {
    const rowTile = 2 ** Math.ceil(Math.log2(T));
    return { name: "matvec", code: matvec, rowTile, grid: (rows) => fold(Math.ceil(rows / 4)) };
  }
  const rowTile = T <= 32 ? 32 : 64;
  const grid = (rows: number): [number, number] => [Math.ceil(T / rowTile), Math.ceil(rows / 64)];
  return { name: "matmul", code: matmul, rowTile, grid };
}

/**
 * y = activation(x W^T + bias) + residual
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
  const { name, code, rowTile, grid } = chooseVariant(g.gpu, T);
  const linked = [
    code,
    w.code,
    options.bias ? bias : noBias,
    options.activation ? ACTIVATIONS[options.activation] : noActivation,
    options.residual ? residual : noResidual,
    epilogue,
  ].join("\n");
  for (const { first, rows, parts } of w.slices) {
    g.dispatch(
      {
        name: `${name} ${w.format} ${D}x${O}`,
        code: linked,
        constants: { D, ROW_TILE: rowTile, ...(first > 0 && { FIRST: first }), ...w.constants },
      },
      [[x, y], parts, ...groups],
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
