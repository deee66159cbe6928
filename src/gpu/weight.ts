import type { Tensor } from "./tensor.ts";

/**
 * A matrix `[O, D]` in some storage format. `code` is the format's WGSL; it binds `parts` at
 * group 1 in their order and defines at least
 *
 *     fn weight4(o: u32, i: u32) -> vec4f   // W[o, 4i .. 4i+3]
 *
 * with `override D: u32` taken from the kernel that it is linked to.
 */
export interface Weight {
  readonly label: string;
  readonly shape: readonly [O: number, D: number];
  readonly format: WeightFormat;
  readonly code: string;
  /** Overrides that the format's WGSL needs (its block, for example). */
  readonly constants: Readonly<Record<string, number>>;
  /** The matrix cut by rows, so that no piece is larger than a binding may be. */
  readonly slices: readonly WeightSlice[];
}

export interface WeightSlice {
  /** Index of the slice's first row in the matrix. */
  readonly first: number;
  readonly rows: number;
  readonly parts: readonly Tensor[];
}

export type WeightFormat = "f32" | "f16" | "bf16" | "q8" | "q4";

/** @returns the bytes a weight takes on the GPU */
export function weightBytes(weight: Weight): number {
  let bytes = 0;
  for (const slice of weight.slices) {
    for (const part of slice.parts) bytes += part.buffer?.size ?? 0;
  }
  return bytes;
}

/**
 * The same weights with each row cut into rows of D.
 *
 * @throws TypeError where rows are no multiple of D, or blocks of weights would lie across the cuts
 */
export function splitRows(weight: Weight, D: number): Weight {
  const { label, shape, format, constants, slices } = weight;
  const [O, width] = shape;
  const block = format === "q8" || format === "q4" ? (constants.BLOCK ?? 32) : 4;
  if (width % D !== 0 || D % block !== 0) {
    throw new TypeError(
      `splitRows: ${label} has rows of ${width} in ${format}, which can't be cut to ${D}`,
    );
  }
  const count = width / D;
  return {
    ...weight,
    shape: [O * count, D],
    slices: slices.map(({ first, rows, parts }) => {
      return { first: first * count, rows: rows * count, parts };
    }),
  };
}
