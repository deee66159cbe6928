import { type DType, ELEMENT_BYTES } from "../gpu/tensor.ts";
import type { WeightLayout } from "../gpu/weight.ts";
import type { TensorInfo } from "./safetensors.ts";

/**
 * A way to store a matrix `[O, D]`. Everything about a format is in one file of `formats/`, next to
 * its WGSL: how kernels decode it, how it is packed, what it can hold, and how it is found in a
 * checkpoint.
 */
export interface WeightFormat<Name extends string = string> extends WeightLayout {
  /** What users call the format. */
  readonly name: Name;
  /**
   * Another one whenever the same weights are packed into other words, or read from them: words that are
   * stored are stale then. Default 1.
   */
  readonly version?: number;
  /** The buffers of a matrix, in the order in which `code` binds them. */
  readonly parts: readonly FormatPart[];
  /** A row of weights must be a multiple of this. */
  readonly rowMultiple: number;
  /** Used for matrices whose rows this format can't hold. */
  readonly fallback?: WeightFormat;
  /** Packs rows on the GPU. Absent for formats that only checkpoints bring. */
  readonly packer?: Packer;
  /** The tensor elements whose bytes are this format's only part. */
  readonly elements?: ElementType;
  /**
   * Decodes a matrix on the CPU. Formats have it in which checkpoints also store tensors that are no
   * layer's matrix, such as learned positions.
   *
   * @param parts the words of each part
   * @returns `[O, D]`
   */
  readonly decode?: (
    parts: readonly Uint32Array[],
    shape: readonly [O: number, D: number],
  ) => Float32Array;
  /**
   * Finds a matrix that the checkpoint stores packed: as several tensors (codes and scales, for
   * example), or as one whose elements are no floats.
   *
   * @param name the matrix's name, such as "model.layers.0.mlp.up_proj.weight"
   * @param D weights in a row, where the model knows it from the layer's input
   * @returns undefined when the checkpoint does not have it in this format
   * @throws Error that names the tensor and the fault, when its parts don't fit together
   */
  readonly findMatrix?: (
    name: string,
    checkpoint: StoredTensors,
    D?: number,
  ) => StoredMatrix | undefined;
}

/** What a packed format looks for its matrices in. */
export interface StoredTensors {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Parsed JSON by file name. `config.json` says how the weights were quantized. */
  readonly files: Readonly<Record<string, unknown>>;
}

/** A format that users can ask for: matrices of any checkpoint can be packed in it. */
export interface QuantizationFormat<Name extends string = string> extends WeightFormat<Name> {
  /** Helps users to choose, in a few words. */
  readonly summary: string;
  readonly packer: Packer;
}

/** One buffer of a format. */
export type FormatPart = RowsPart | WholePart;

/** Its rows are the matrix's rows, side by side. */
export interface RowsPart {
  readonly name: string;
  readonly dtype: DType;
  /** @returns the 4-byte words that a row of D weights takes */
  readonly rowWords: (D: number) => number;
  readonly words?: undefined;
}

/** It belongs to the whole matrix, which is then neither cut nor stacked in one piece with others. */
export interface WholePart {
  readonly name: string;
  readonly dtype: DType;
  /** @returns the 4-byte words for a matrix `[O, D]` */
  readonly words: (O: number, D: number) => number;
  readonly rowWords?: undefined;
}

/** @returns the 4-byte words that a part takes for `O` rows of `D` weights */
export function partWords({ rowWords, words }: FormatPart, O: number, D: number): number {
  return rowWords ? O * rowWords(D) : words(O, D);
}

/** @returns whether a matrix in the format can be cut by rows */
export function hasRows(format: WeightFormat): boolean {
  return format.parts.every(({ rowWords }) => rowWords);
}

/**
 * A kernel that packs rows of any format into this one. It is linked with the source's WGSL
 * (`weight4`, at group 1), declares `override D: u32`, and binds at group 0
 *
 *     @binding(0) var<storage, read> rows: vec2u;   // first row to write, number of rows
 *     @binding(1) ...                               // this format's parts, read_write
 *
 * Each of its 64 lanes packs one unit: lane `id.x` packs unit `id.x` of the rows, row by row.
 */
export interface Packer {
  readonly code: string;
  /** @returns the units in a row of D weights */
  readonly rowUnits: (D: number) => number;
}

/** An element type of a checkpoint. */
export interface ElementType {
  /** As safetensors spells it, such as "BF16". */
  readonly dtype: string;
  /**
   * @param bytes whole elements, little-endian
   * @returns their exact values
   */
  readonly toFloat32: (bytes: Uint8Array) => Float32Array;
}

/** A matrix as a checkpoint stores it. */
export interface StoredMatrix {
  readonly shape: readonly [O: number, D: number];
  /** The format that keeps the matrix as it is stored. */
  readonly format: WeightFormat;
  /** Whether `writeTo` gives its target the order of the columns. Default false. */
  readonly isReordered?: boolean;
  /** Whether the tensors are the format's parts, byte for byte. Default false. */
  readonly isCopied?: boolean;
  /** Whether `writeTo` puts every code in another place, which takes longer than reading it. Default false. */
  readonly isSlow?: boolean;
  readonly tensors: readonly StoredTensor[];
  /**
   * Begins to load the matrix.
   *
   * @param target rows of a weight on the GPU; it is in `format`, unless `format` has `elements`
   * @returns for each of `tensors`, what its bytes are passed to
   */
  readonly writeTo: (target: RowTarget) => readonly WriteRows[];
}

/** A tensor of the checkpoint that shall be loaded. */
export interface StoredTensor {
  readonly name: string;
  readonly info: TensorInfo;
  /** Equal parts that the bytes consist of. They are passed on in whole rows. */
  readonly rows: number;
}

/** Takes rows `first ..< first + count` of a tensor; may keep `bytes` until it resolves. */
export type WriteRows = (first: number, count: number, bytes: Uint8Array) => void | Promise<void>;

/** Rows of a weight on the GPU that one stored matrix fills; they are counted from 0. */
export interface RowTarget {
  /** Copies the bytes of whole rows, or of a whole part, to one of the format's parts. */
  copy(part: number, first: number, bytes: Uint8Array): Promise<void>;
  /**
   * Packs rows `first ..< first + count`.
   *
   * @param bytes the rows in `source`, a format of one part
   */
  pack(first: number, count: number, bytes: Uint8Array, source: WeightFormat): Promise<void>;
  /**
   * Says for which column of the layer's input each column is. Only for matrices that are
   * `isReordered`.
   *
   * @param columns `[D]`
   */
  orderColumns(columns: Uint32Array): Promise<void> | void;
}

/** A format on the CPU: what its packer must write bit for bit, and what its WGSL must decode. */
export interface FormatReference {
  /**
   * @param values `[O, D]`, row-major
   * @returns the words of each part
   */
  pack(values: Float32Array, D: number, format: WeightFormat): Uint32Array[];
  /**
   * @param parts the words of each part
   * @returns `[O, D]`
   */
  unpack(
    parts: readonly Uint32Array[],
    shape: readonly [O: number, D: number],
    format: WeightFormat,
  ): Float32Array;
}

/** @returns whether rows of `D` weights can be stored in a format */
export function formatFits(format: WeightFormat, D: number): boolean {
  return D > 0 && D % format.rowMultiple === 0;
}

/** @returns the bytes that a row of `D` weights takes, over all parts. The format must have rows. */
export function rowBytes(format: WeightFormat, D: number): number {
  return format.parts.reduce((sum, part) => sum + partWords(part, 1, D) * ELEMENT_BYTES, 0);
}
