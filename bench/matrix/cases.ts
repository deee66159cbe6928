/** A product y[T, O] = x[T, D] W[O, D]ᵀ to time. */
export interface Product {
  readonly format: "f32" | "q8" | "q6" | "q4";
  readonly D: number;
  readonly O: number;
  readonly T: number;
}

/** The median times of one product. */
export interface Result extends Product {
  readonly oursMs: number;
  readonly ortMs: number;
  /** Bytes of weights that our product reads. */
  readonly weightBytes: number;
}

const SHAPES = [
  { D: 576, O: 1536 },
  { D: 2048, O: 2048 },
  { D: 2048, O: 11008 },
] as const;

/** All row counts of a matrix are measured together, so that it is uploaded once. */
export const ROWS = [1, 8, 64] as const;

export const MATRICES = (["f32", "q8", "q6", "q4"] as const).flatMap((format) =>
  SHAPES.map((shape) => ({ format, ...shape })),
);
export type Matrix = (typeof MATRICES)[number];
