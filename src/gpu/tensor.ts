/**
 * The letters of shapes: `T` token rows of a dispatch, `S` tokens of a cache, `D` model width,
 * `H` query heads, `K` key and value heads, `C` channels per head, `F` feed-forward width,
 * `V` vocabulary, `O` outputs, `P` image patches, `N` image embeddings.
 */

/** Element types of tensors. Packed weights are `u32`. */
export type DType = "f32" | "u32" | "i32";

/** A typed, shaped GPU buffer. A scratch tensor has no buffer until its graph is compiled. */
export interface Tensor {
  readonly label: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** The tensor whose buffer this one shares. */
  readonly base?: Tensor;
  buffer?: GPUBuffer;
}

/** Every element type is four bytes wide. */
export const ELEMENT_BYTES = 4;

/** @returns the number of elements of a shape */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** @returns the bytes that a tensor takes on the GPU */
export function byteSize(tensor: { readonly shape: readonly number[] }): number {
  return elementCount(tensor.shape) * ELEMENT_BYTES;
}

/**
 * The same elements in another shape.
 *
 * @throws TypeError when the number of elements differs
 */
export function reshape(tensor: Tensor, shape: readonly number[]): Tensor {
  if (elementCount(shape) !== elementCount(tensor.shape)) {
    throw new TypeError(`reshape: ${tensor.label} is [${tensor.shape}], got [${shape}]`);
  }
  return { label: tensor.label, shape, dtype: tensor.dtype, base: tensor.base ?? tensor };
}

/**
 * The first `count` rows of a tensor, in the same buffer.
 *
 * @throws TypeError when the tensor has fewer
 */
export function firstRows(tensor: Tensor, count: number): Tensor {
  const [rows = 0, ...rest] = tensor.shape;
  if (count > rows) {
    throw new TypeError(`firstRows: ${tensor.label} is [${tensor.shape}], expected ${count} rows`);
  }
  const { label, dtype, base = tensor } = tensor;
  return { label, shape: [count, ...rest], dtype, base };
}

/** @returns the buffer of a tensor; throws Error when its graph is not compiled yet */
export function bufferOf(tensor: Tensor): GPUBuffer {
  if (tensor.base) return bufferOf(tensor.base);
  if (!tensor.buffer) throw new Error(`bufferOf: ${tensor.label} [${tensor.shape}] has none yet`);
  return tensor.buffer;
}
