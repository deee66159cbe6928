import matmul from "../../shaders/matmul.wgsl?raw";
import type { Kernels } from "../gpu/kernels.ts";
import type { HardwareShaders } from "../gpu/shaders/hardware.ts";
import type { WeightLayout } from "../gpu/weight.ts";
import { fold } from "./grid.ts";

/** A shader of matrix products, and how its workgroups share the work. */
export interface MatmulKernel {
  readonly name: string;
  /** With that of the weight's layout. */
  readonly code: string;
  readonly constants: Readonly<Record<string, number>>;
  /** The grid over all rows of x and `outputs` rows of the weight. */
  readonly grid: (outputs: number) => [number, number, number?];
  /** The kernel gives the sums of so many parts of each row, `[parts, T, O]`. Default: y. */
  readonly parts?: number;
  /** Whether it can norm its inputs and outputs. */
  readonly hasNorms?: boolean;
}

/** Up to this many rows of x, `matvec` reads each weight once for all of them. */
const MATVEC_ROWS = 8;

/** The rows of the weight that one workgroup of `matmul` and of `matmul-direct` multiplies. */
const TILE_OUTPUTS = 64;

/** @returns the kernel of a product of T rows with a matrix `[O, D]` in a layout */
export function chooseKernel(
  kernels: Kernels,
  T: number,
  [O, D]: readonly [number, number],
  format: WeightLayout,
): MatmulKernel {
  const { software, hardware, features } = kernels;
  const tiles =
    (rowTile: number) =>
    (outputs: number): [number, number] => [
      Math.ceil(T / rowTile),
      Math.ceil(outputs / TILE_OUTPUTS),
    ];
  const power = 2 ** Math.ceil(Math.log2(T));
  if (software) {
    const { matmulDirect, matmulRows, matmulRowsSubgroups } = software;
    const ROW_TILE = Math.min(power, 16);
    const rows = features.has("subgroups") ? matmulRowsSubgroups : matmulRows;
    // WGSL wants `enable`, which `rows` may have, before everything else.
    const code = rows + matmulDirect + format.code;
    return { name: "matmul-direct", code, constants: { ROW_TILE }, grid: tiles(ROW_TILE) };
  }
  if (hardware && T <= MATVEC_ROWS) {
    return gpuMatvec(kernels, hardware, power, O, D, format);
  }
  const ROW_TILE = T <= 32 ? 32 : 64;
  if (hardware) return gpuMatmul(hardware, T, ROW_TILE, O, D, format);
  const code = matmul + format.code;
  return { name: "matmul", code, constants: { ROW_TILE }, grid: tiles(ROW_TILE) };
}

/** Lanes of a workgroup of hardware/matvec.wgsl. */
const LANES = 64;

/** So many lanes keep a GPU busy. With fewer rows of a matrix, more lanes share a row. */
const BUSY_LANES = 16_384;

/** @returns hardware/matvec.wgsl with constants whose sums have one order for each matrix, whatever `ROW_TILE` */
function gpuMatvec(
  { features, subgroupLanes = 4 }: Kernels,
  { lines, lines4, lines8, matvec, share, shareSubgroups, unitsAny }: HardwareShaders,
  ROW_TILE: number,
  O: number,
  D: number,
  format: WeightLayout,
): MatmulKernel {
  const hasSubgroups = features.has("subgroups");
  const unitLines = { 4: lines4, 8: lines8 }[format.constants.BITS ?? 0];
  const units =
    format.hasLines && unitLines && D % 32 === 0 ? lines + unitLines : format.code + unitsAny;
  let ALONG = 8;
  while (ALONG < LANES && ALONG < D / 32 && (O / 4) * ALONG < BUSY_LANES) ALONG *= 2;
  let ROWS = ROW_TILE > 4 ? 2 : 4;
  // Two rows at least, so that a workgroup has a gate and its up.
  while (ROWS * (LANES / ALONG) > 2 && ROWS > 1 && (O / ROWS) * ALONG < BUSY_LANES) ROWS /= 2;
  const SHARED = hasSubgroups ? Math.min(ALONG, subgroupLanes) : 1;
  const outputRows = (LANES / ALONG) * ROWS;
  return {
    name: "matvec",
    code: (hasSubgroups ? shareSubgroups : share) + matvec + units,
    constants: { ROW_TILE, ALONG, ROWS, SHARED },
    grid: (outputs) => fold(Math.ceil(outputs / outputRows)),
    hasNorms: true,
  };
}

/** Fewer lanes leave a GPU idle while each waits for its next inputs. */
const WAITING_LANES = 8_192;

/** A row of W is summed in up to so many sections, of at least so many inputs. */
const MAX_SECTIONS = 10;
const MIN_SECTION = 96;

/** @returns hardware/matmul.wgsl, whose sums have one order for each width of rows, whatever T */
function gpuMatmul(
  { matmul }: HardwareShaders,
  T: number,
  ROW_TILE: number,
  O: number,
  D: number,
  format: WeightLayout,
): MatmulKernel {
  const wanted = Math.min(MAX_SECTIONS, Math.max(1, Math.floor(D / MIN_SECTION)));
  const SECTION = Math.ceil(D / wanted / 32) * 8;
  const sections = Math.ceil(D / 4 / SECTION);
  const lanes = 2 * ROW_TILE * Math.ceil(T / ROW_TILE) * Math.ceil(O / TILE_OUTPUTS);
  const PARTS = lanes < WAITING_LANES ? sections : 1;
  return {
    name: "matmul",
    code: matmul + format.code,
    constants: { ROW_TILE, SECTION, PARTS },
    grid: (outputs) => [Math.ceil(T / ROW_TILE), Math.ceil(outputs / TILE_OUTPUTS), PARTS],
    parts: PARTS,
  };
}
