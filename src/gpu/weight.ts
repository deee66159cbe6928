import type { Tensor } from "./tensor.ts";

/**
 * How kernels read a matrix `[O, D]`. A kernel that multiplies by a matrix, or looks up its rows,
 * is linked with `code`, which declares a slice's parts as bindings 0, 1, ... of group 1 and
 * defines
 *
 *     fn weight_rows() -> u32                     // rows of the slice
 *     fn weight4(o: u32, i: u32) -> vec4f         // weights 4i to 4i + 3 of row o
 *     fn weight8(o: u32, i: u32) -> mat2x4f       // weights 8i to 8i + 7 of row o
 *
 * The kernel declares `override D: u32`, the weights in a row. `weight8` may return anything for
 * weights beyond the end of the row.
 */
export interface WeightLayout {
  /** For messages and the names of kernels. */
  readonly name: string;
  /** WGSL as above. */
  readonly code: string;
  /** Values of the overrides that `code` declares. */
  readonly constants: Readonly<Record<string, number>>;
  /** Consecutive weights of a row that are stored together; a row can be cut between two blocks. */
  readonly blockSize: number;
  /**
   * The layout of codes.wgsl and affine.wgsl: dense codes of `constants.BITS`, and a scale and a bias for each
   * group of `constants.GROUP` weights, a multiple of 32. Kernels may have faster code for it.
   */
  readonly hasLines?: true;
}

/** A matrix `[O, D]` on the GPU. */
export interface Weight {
  readonly label: string;
  readonly shape: readonly [O: number, D: number];
  /**
   * The matrix cut by weight rows: so that no part is larger than the device can bind, and between
   * rows that are stored in different formats.
   */
  readonly slices: readonly WeightSlice[];
}

export interface WeightSlice {
  /** Index of the slice's first row in the matrix. */
  readonly first: number;
  readonly rows: number;
  readonly format: WeightLayout;
  /** The buffers that `WeightLayout.code` binds, in its order. */
  readonly parts: readonly Tensor[];
  /** `[D]` u32: column k of the slice is for column `columns[k]` of the input. Default: k. */
  readonly columns?: Tensor | undefined;
}

/** @returns the tensors that a weight owns */
export function tensorsOf({ slices }: Weight): Set<Tensor> {
  return new Set(slices.flatMap(({ parts, columns }) => (columns ? [...parts, columns] : parts)));
}

/** @returns the bytes that a weight takes on the GPU */
export function weightBytes(weight: Weight): number {
  let bytes = 0;
  for (const tensor of tensorsOf(weight)) bytes += tensor.buffer?.size ?? 0;
  return bytes;
}

/**
 * The same weights, with each row cut into rows of D weights: `[O, n D]` becomes `[n O, D]`.
 *
 * @throws TypeError when D does not divide the width, or a block of weights would be cut
 */
export function splitRows(weight: Weight, D: number): Weight {
  const { label, shape, slices } = weight;
  const [O, width] = shape;
  const whole = slices.find(
    ({ format, columns }) => width % D !== 0 || D % format.blockSize !== 0 || columns,
  );
  if (whole) {
    throw new TypeError(
      `splitRows: ${label} has rows of ${width} in ${whole.format.name}, which can't be cut to ${D}`,
    );
  }
  const count = width / D;
  return {
    ...weight,
    shape: [O * count, D],
    slices: slices.map(({ first, rows, ...slice }) => {
      return { ...slice, first: first * count, rows: rows * count };
    }),
  };
}

/**
 * Weights of equal width, one below the other.
 *
 * @param weights at least one
 */
export function stackRows(label: string, weights: readonly Weight[]): Weight {
  let rows = 0;
  const slices = weights.flatMap((weight) => {
    const above = rows;
    rows += weight.shape[0];
    return weight.slices.map((slice) => ({ ...slice, first: above + slice.first }));
  });
  return { label, shape: [rows, weights[0]?.shape[1] ?? 0], slices };
}
