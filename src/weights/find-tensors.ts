import { ELEMENT_BYTES, elementCount } from "../gpu/tensor.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { partWords, type StoredMatrix, type StoredTensor, type WriteRows } from "./format.ts";
import { ELEMENT_FORMATS } from "./formats/registry.ts";
import type { TensorInfo } from "./safetensors.ts";
import { suggestNames } from "./suggest-names.ts";

/** The tensors of a checkpoint, by the names that a model uses. */
export interface NamedTensors {
  readonly checkpoint: Pick<Checkpoint, "id" | "tensors"> &
    Partial<Pick<Checkpoint, "files" | "formats" | "stacked" | "elements">>;
  /** @returns the names that a tensor may have in a checkpoint */
  readonly storedNames: (name: string) => readonly string[];
}

/** A tensor of numbers. */
export interface StoredVector {
  readonly shape: readonly number[];
  readonly tensors: readonly StoredTensor[];
  /**
   * Begins to load the numbers.
   *
   * @param write takes them, from number `first` on
   * @returns for each of `tensors`, what its bytes are passed to
   */
  readonly writeTo: (write: (first: number, values: Float32Array) => void) => readonly WriteRows[];
}

export function hasTensor(tensors: NamedTensors, name: string): boolean {
  return stackedParts(tensors, name).every(
    (part) => findInfo(tensors, part) !== undefined || findPacked(tensors, part) !== undefined,
  );
}

/** @returns the tensors whose rows are stacked in one of a model; most often that one alone */
export function stackedParts(
  { checkpoint, storedNames }: NamedTensors,
  asked: string,
): readonly string[] {
  const { stacked } = checkpoint;
  const name = stacked && storedNames(asked).find((stored) => stacked.has(stored));
  return (name !== undefined && stacked?.get(name)) || [asked];
}

/**
 * @param D weights in a row, where the model knows it from the layer's input
 * @throws Error when the checkpoint has no such matrix
 * @throws TypeError when it is no matrix, or in no format that is known
 */
export function findMatrix(tensors: NamedTensors, asked: string, D?: number): StoredMatrix {
  const packed = findPacked(tensors, asked, D);
  if (packed) return packed;
  const { name, info, format } = findElements(tensors, asked);
  const [O = 0, ...rest] = info.shape;
  const order = channelsFirst(info);
  if (rest.length === 0) {
    throw new TypeError(`matrix: ${name} is [${info.shape}], expected two dimensions or more`);
  }
  return {
    shape: [O, elementCount(rest)],
    format,
    tensors: [{ name, info, rows: O }],
    writeTo: (target) => [(first, count, bytes) => target.pack(first, count, order(bytes), format)],
  };
}

/** Channels of an image. */
const CHANNELS = 3;

/**
 * @param info a convolution's weights `[O, 3, ..., height, width]`, as PyTorch stores them, or
 *   `[O, ..., height, width, 3]`, as MLX does; or another matrix
 * @returns what puts the elements of whole rows in PyTorch's order
 */
function channelsFirst({ shape, begin, end }: TensorInfo): (bytes: Uint8Array) => Uint8Array {
  if (shape.length < 4 || shape.at(-1) !== CHANNELS || shape[1] === CHANNELS) return (rows) => rows;
  const size = (end - begin) / elementCount(shape); // bytes of an element
  const pixels = elementCount(shape.slice(1, -1));
  return (rows) => {
    const ordered = new Uint8Array(rows.length);
    for (let from = 0; from < rows.length; from += size) {
      const element = from / size;
      const place = element % (CHANNELS * pixels);
      const [pixel, channel] = [Math.floor(place / CHANNELS), place % CHANNELS];
      const to = (element - place + channel * pixels + pixel) * size;
      for (let i = 0; i < size; i++) ordered[to + i] = rows[from + i]!;
    }
    return ordered;
  };
}

/**
 * @throws Error when the checkpoint has no such tensor
 * @throws TypeError when its elements are no floats
 */
export function findVector(tensors: NamedTensors, asked: string): StoredVector {
  const packed = findPacked(tensors, asked);
  if (packed) return decodedVector(asked, packed);
  const { name, info, format } = findElements(tensors, asked);
  const elements = tensors.checkpoint.elements?.get(name) ?? format.elements;
  return {
    shape: info.shape,
    tensors: [{ name, info, rows: elementCount(info.shape) }],
    writeTo: (write) => [(first, _, bytes) => write(first, elements.toFloat32(bytes))],
  };
}

/** A packed tensor that a model reads as numbers, such as learned positions. */
function decodedVector(
  asked: string,
  { shape: [O, D], format, tensors, writeTo }: StoredMatrix,
): StoredVector {
  const { name, parts, decode } = format;
  if (!decode) throw new TypeError(`vector: ${asked} is stored in ${name}, expected floats`);
  return {
    shape: [O, D],
    tensors,
    writeTo(write) {
      const words = parts.map((part) => new Uint32Array(partWords(part, O, D)));
      let missing = words.reduce((sum, { byteLength }) => sum + byteLength, 0);
      return writeTo({
        async copy(part, first, bytes) {
          const rowWords = parts[part]!.rowWords?.(D) ?? 0;
          new Uint8Array(words[part]!.buffer).set(bytes, first * rowWords * ELEMENT_BYTES);
          missing -= bytes.byteLength;
          if (missing === 0) write(0, decode(words, [O, D]));
        },
        async pack() {},
        orderColumns() {},
      });
    },
  };
}

/**
 * Finds a matrix in the checkpoint's packed formats.
 *
 * @throws Error when it is in one that is not supported; it says how the weights are quantized, and what
 *   to load
 */
function findPacked(
  { checkpoint, storedNames }: NamedTensors,
  asked: string,
  D?: number,
): StoredMatrix | undefined {
  const { tensors, files = {}, formats = [] } = checkpoint;
  if (formats.length === 0) return undefined;
  for (const name of storedNames(asked)) {
    for (const { findMatrix } of formats) {
      try {
        const matrix = findMatrix?.(name, { tensors, files }, D);
        if (matrix) return matrix;
      } catch (error) {
        (error as Error).message += quantizationHint(checkpoint);
        throw error;
      }
    }
  }
  return undefined;
}

function findInfo({ checkpoint: { tensors }, storedNames }: NamedTensors, asked: string) {
  for (const name of storedNames(asked)) {
    const info = tensors.get(name);
    if (info) return { name, info };
  }
  return undefined;
}

/** Finds a tensor of floats. */
function findElements(tensors: NamedTensors, asked: string) {
  const found = findInfo(tensors, asked);
  if (!found) {
    const { id, tensors: all } = tensors.checkpoint;
    const near = suggestNames(asked, [...all.keys()]).join(", ");
    const hint = quantizationHint(tensors.checkpoint);
    throw new Error(`${id} has no tensor ${asked}; closest are: ${near || "none"}${hint}`);
  }
  const { name, info } = found;
  const format = ELEMENT_FORMATS.get(info.dtype);
  if (!format) {
    const dtypes = [...ELEMENT_FORMATS.keys()].join(", ");
    const hint = quantizationHint(tensors.checkpoint);
    throw new TypeError(`${name} is ${info.dtype}, expected one of ${dtypes}${hint}`);
  }
  return { name, info, format };
}

/** What users call the packed formats. */
const PACKED_NAMES =
  "MLX (2 to 8 bits), GPTQ (4 or 8 bits), AWQ (gemm), FP8, compressed-tensors (pack-quantized) or " +
  "bitsandbytes (4 bits)";

/** What tells the schemes of a method apart. */
interface Scheme {
  /** Of AWQ: "gemm" or "gemv", for example. */
  readonly version?: string;
  /** Of compressed-tensors. */
  readonly format?: string;
  /** Of MLX. */
  readonly mode?: string;
  readonly bits?: number;
}

/** @returns what to add to an error of a checkpoint whose config.json says how it was quantized, or "" */
function quantizationHint({ files }: NamedTensors["checkpoint"]): string {
  const { quantization_config, quantization } = (files?.["config.json"] ?? {}) as {
    readonly quantization_config?: Scheme & { readonly quant_method?: string };
    readonly quantization?: Scheme;
  };
  const method = quantization_config?.quant_method ?? (quantization && "mlx");
  const { version, format, mode, bits } = quantization ?? quantization_config ?? {};
  const scheme = [method, version, format, mode, bits && `${bits} bits`].filter(Boolean).join(", ");
  return method
    ? `. config.json says that the weights are quantized (${scheme}): load the repository ` +
        `that they were made from, or one in ${PACKED_NAMES}`
    : "";
}
