import { elementCount } from "../../gpu/tensor.ts";
import type {
  ElementType,
  RowTarget,
  StoredMatrix,
  StoredTensor,
  WeightFormat,
  WriteRows,
} from "../format.ts";
import { f32 } from "../formats/f32.ts";
import { writeBlocks } from "../formats/ggml-blocks.ts";
import type { TensorInfo } from "../safetensors.ts";
import type { GgufHeader, GgufTensor } from "./header.ts";
import { type GgmlStorage, ggmlStorage } from "./types.ts";

/** What a tensor of a file is in Hugging Face's layout. */
export interface GgufRole {
  /** Hugging Face's name. */
  readonly name: string;
  /** The heads of a matrix in each of which row 2i + j of the file is row i + j * half. */
  readonly pairedHeads?: number;
  /** Of the model's tensor, where it has further axes. */
  readonly shape?: readonly number[];
  /** Whether rows `[channels, height, width]` of the file are `[height, width, channels]` in the model. */
  readonly channelsLast?: boolean;
  /** Added to the values of the file. */
  readonly offset?: number;
  /** The matrix that this is the n-th part of, by rows. */
  readonly stackedIn?: { readonly name: string; readonly place: number };
  /**
   * The convolution `[O, channels, frames, height, width]` that this is one frame of:
   * `[O, channels, height, width]`.
   */
  readonly frameOf?: { readonly name: string; readonly place: number };
}

export interface GgufTensors {
  /** By Hugging Face's names. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Matrices that are not stored as rows of f32, f16 or bf16 in the order of the model. */
  readonly matrices: ReadonlyMap<string, StoredMatrix>;
  /** The tensors that a model's tensor is stacked of, where a file has its rows apart. */
  readonly stacked: ReadonlyMap<string, readonly string[]>;
  /** How tensors are read as numbers whose values in the file differ from the model's. */
  readonly elements: ReadonlyMap<string, ElementType>;
}

/**
 * Names the tensors of GGUF files as a model asks for them.
 *
 * @param roleOf returns undefined for a tensor that the model does not have
 * @throws Error that names a tensor whose type or shape can't be read
 */
export function ggufTensors(
  files: ReadonlyMap<string, GgufHeader>,
  roleOf: (tensor: GgufTensor) => GgufRole | undefined,
): GgufTensors {
  const tensors = new Map<string, TensorInfo>();
  const matrices = new Map<string, StoredMatrix>();
  const stacked = new Map<string, string[]>();
  const frames = new Map<string, Frame[]>();
  const elements = new Map<string, ElementType>();
  for (const [file, header] of files) {
    for (const tensor of header.tensors) {
      const role = roleOf(tensor);
      if (!role) continue;
      const { name } = role;
      const storage = ggmlStorage(tensor.type, `${file}: ${tensor.name}`);
      const info = {
        ...tensorInfo(file, tensor, storage),
        ...(role.shape && { shape: role.shape }),
      };
      const other = tensors.get(name);
      if (other) throw new Error(`${name} is in ${other.file} and in ${file}`);
      tensors.set(name, info);
      if (role.offset) elements.set(name, shifted(storage, role.offset));
      if (role.stackedIn) put(stacked, role.stackedIn, name);
      if (role.frameOf) put(frames, role.frameOf, { name, info, storage });
      else if (info.shape.length > 1 && isChanged(storage, role)) {
        matrices.set(name, storedMatrix(name, info, storage, role));
      }
    }
  }
  for (const [name, parts] of frames) matrices.set(name, joinFrames(name, parts));
  return { tensors, matrices, stacked, elements };
}

function put<T>(
  lists: Map<string, T[]>,
  { name, place }: { readonly name: string; readonly place: number },
  item: T,
): void {
  const list = lists.get(name) ?? [];
  list[place] = item;
  lists.set(name, list);
}

function tensorInfo(
  file: string,
  { name, shape, begin }: GgufTensor,
  { type, values, bytes }: GgmlStorage,
): TensorInfo {
  const D = shape.at(-1) ?? 1;
  if (D % values !== 0) {
    throw new Error(`${file}: ${name} has rows of ${D}, ${type} stores multiples of ${values}`);
  }
  const length = (elementCount(shape) / values) * bytes;
  if (!Number.isSafeInteger(length)) throw new Error(`${file}: ${name} is [${shape}]: too large`);
  return { dtype: type, shape, file, begin, end: begin + length };
}

/** Reads values that are `offset` less than the model's. */
function shifted({ type, format }: GgmlStorage, offset: number): ElementType {
  const { elements } = format;
  if (!elements) throw new Error(`a vector is ${type}, expected F32, F16 or BF16`);
  return {
    ...elements,
    toFloat32: (bytes) => elements.toFloat32(bytes).map((value) => value + offset),
  };
}

/** Whether a matrix is more than its elements, row after row. */
function isChanged({ format }: GgmlStorage, { pairedHeads, channelsLast }: GgufRole): boolean {
  return !format.elements || pairedHeads !== undefined || channelsLast === true;
}

function storedMatrix(
  name: string,
  info: TensorInfo,
  storage: GgmlStorage,
  { pairedHeads, channelsLast }: GgufRole,
): StoredMatrix {
  const { shape, format, write } = rowsOf(info, storage);
  const [O] = shape;
  const tensor = (rows: number): readonly StoredTensor[] => [{ name, info, rows }];
  if (channelsLast) {
    const [, channels = 1] = info.shape;
    const order = (rows: Uint8Array) => lastChannels(rows, shape[1], channels, storage);
    return {
      ...{ shape, format, tensors: tensor(O) },
      writeTo: (target) => {
        const rows = write(target);
        return [(first, count, bytes) => rows(first, count, order(bytes))];
      },
    };
  }
  if (pairedHeads === undefined) {
    const isCopied = "blocks" in storage.format && storage.format.blocks.scaleAt === undefined;
    return { shape, format, isCopied, tensors: tensor(O), writeTo: (target) => [write(target)] };
  }
  const headRows = O / pairedHeads;
  if (!Number.isInteger(headRows / 2)) {
    throw new Error(`${info.file}: ${name} has ${O} rows, expected ${pairedHeads} heads of pairs`);
  }
  return {
    shape,
    format,
    tensors: tensor(pairedHeads),
    writeTo: (target) => {
      const rows = write(target);
      return [
        (first, count, bytes) =>
          rows(first * headRows, count * headRows, unpaired(bytes, count, headRows)),
      ];
    },
  };
}

/** A matrix whose rows are stored in the file's order. */
function rowsOf(
  { shape: [O = 0, ...rest] }: TensorInfo,
  { format }: GgmlStorage,
): Pick<StoredMatrix, "shape" | "format"> & { write: (target: RowTarget) => WriteRows } {
  const D = elementCount(rest);
  const write = (target: RowTarget): WriteRows =>
    "blocks" in format
      ? writeBlocks(target, D, format.blocks)
      : (first, count, bytes) => target.pack(first, count, bytes, format);
  return { shape: [O, D], format, write };
}

/** Rows 2i + j of heads become rows i + j * half. */
function unpaired(bytes: Uint8Array, heads: number, headRows: number): Uint8Array {
  const rowBytes = bytes.length / heads / headRows;
  const ordered = new Uint8Array(bytes.length);
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < headRows; row++) {
      const from = head * headRows + row;
      const to = head * headRows + (row >> 1) + (row % 2) * (headRows / 2);
      ordered.set(bytes.subarray(from * rowBytes, (from + 1) * rowBytes), to * rowBytes);
    }
  }
  return ordered;
}

/** Puts the channels of each pixel of rows together. Throws Error for blocks of values. */
function lastChannels(
  rows: Uint8Array,
  D: number,
  channels: number,
  { type, values, bytes: size }: GgmlStorage,
): Uint8Array {
  if (values > 1) throw new Error(`a convolution is ${type}, expected F32, F16 or BF16`);
  const pixels = D / channels;
  const ordered = new Uint8Array(rows.length);
  for (let from = 0; from * size < rows.length; from++) {
    const [row, place] = [Math.floor(from / D), from % D];
    const to = row * D + (place % pixels) * channels + Math.floor(place / pixels);
    ordered.set(rows.subarray(from * size, (from + 1) * size), to * size);
  }
  return ordered;
}

interface Frame {
  readonly name: string;
  readonly info: TensorInfo;
  readonly storage: GgmlStorage;
}

/** A convolution over frames, of the frames' own ones. They have a few megabytes, and are kept until all are there. */
function joinFrames(name: string, frames: readonly Frame[]): StoredMatrix {
  const [{ info, storage }] = frames as [Frame];
  const { shape, format } = rowsOf(info, storage);
  const [O, width] = shape;
  const sizes = frames.map((frame) => `${frame.storage.type} [${frame.info.shape}]`);
  if (new Set(sizes).size > 1 || !format.elements || info.shape.length !== 4) {
    throw new Error(
      `${info.file}: ${name}: the frames are ${sizes.join(" and ")}, expected equal ones`,
    );
  }
  const D = width * frames.length;
  const planeBytes = (elementCount(info.shape.slice(2)) / storage.values) * storage.bytes;
  return {
    shape: [O, D],
    format,
    tensors: frames.map((frame) => ({ name: frame.name, info: frame.info, rows: 1 })),
    writeTo: (target) => {
      const arrived: Uint8Array[] = [];
      return frames.map((_, place) => (_first, _count, bytes) => {
        arrived[place] = bytes.slice();
        if (Object.keys(arrived).length < frames.length) return;
        return target.pack(0, O, interleaved(arrived, planeBytes), format as WeightFormat);
      });
    },
  };
}

/** Takes one piece after another of each list in turn. */
function interleaved(lists: readonly Uint8Array[], pieceBytes: number): Uint8Array {
  const [{ length }] = lists as [Uint8Array];
  const joined = new Uint8Array(length * lists.length);
  lists.forEach((list, place) => {
    for (let begin = 0; begin < length; begin += pieceBytes) {
      joined.set(
        list.subarray(begin, begin + pieceBytes),
        begin * lists.length + place * pieceBytes,
      );
    }
  });
  return joined;
}

/** Finds the matrices in `matrices`, for a checkpoint's `formats`. */
export function matrixFinder(matrices: ReadonlyMap<string, StoredMatrix>): WeightFormat {
  return { ...f32, findMatrix: (name) => matrices.get(name) };
}
