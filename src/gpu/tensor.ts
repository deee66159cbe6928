/**
 * Shape letters, used everywhere: `T` rows in this dispatch, `S` tokens in a cache, `D` model
 * width, `H` query heads, `K` key/value heads, `C` channels per head, `F` feed-forward width,
 * `V` vocabulary, `O` outputs, `P` image patches, `N` image rows.
 */

/** Element types a tensor can have. Packed formats are `u32`. */
export type DType = "f32" | "u32" | "i32";

/** A typed, shaped GPU buffer. A scratch tensor has none until its graph is compiled. */
export interface Tensor {
  readonly label: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Whose elements these are, in another shape. */
  readonly base?: Tensor;
  buffer?: GPUBuffer;
}

/** Every element type is four bytes wide. */
export const ELEMENT_BYTES = 4;

/** @returns the number of elements of a shape */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** @returns the bytes a tensor takes on the GPU */
export function byteSize(tensor: { readonly shape: readonly number[] }): number {
  return elementCount(tensor.shape) * ELEMENT_BYTES;
}

/**
 * The same elements in another shape.
 *
 * @throws TypeError when that has another number of them
 */
export function reshape(tensor: Tensor, shape: readonly number[]): Tensor {
  if (elementCount(shape) !== elementCount(tensor.shape)) {
    throw new TypeError(`reshape: ${tensor.label} is [${tensor.shape}], asked for [${shape}]`);
  }
  return { label: tensor.label, shape, dtype: tensor.dtype, base: tensor.base ?? tensor };
}

/** @returns the buffer of a tensor; throws Error when its graph has not been compiled yet */
export function bufferOf(tensor: Tensor): GPUBuffer {
  if (tensor.base) return bufferOf(tensor.base);
  if (!tensor.buffer) throw new Error(`${tensor.label} [${tensor.shape}] has no buffer yet`);
  return tensor.buffer;
}
