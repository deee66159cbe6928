/** A value of a file's metadata. Numbers of 64 bits are numbers, too. */
export type GgufValue = string | number | boolean | readonly GgufValue[];

/** A file's metadata by key, such as "general.architecture". */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** A tensor of a GGUF file. */
export interface GgufTensor {
  readonly name: string;
  /** The number of its type in ggml. */
  readonly type: number;
  /** The slowest axis first, so a matrix is `[O, D]`; the file has them in the other order. */
  readonly shape: readonly number[];
  /** Position of its first byte in the file. */
  readonly begin: number;
}

export interface GgufHeader {
  readonly metadata: GgufMetadata;
  readonly tensors: readonly GgufTensor[];
  /** Bytes before the first tensor. */
  readonly bytes: number;
}

/** The largest vocabularies take about 20 MB. */
const MAX_HEADER_BYTES = 256 << 20;
const FIRST_BYTES = 1 << 20;

/**
 * Reads a file's header: what is before the tensors.
 *
 * @param read returns bytes `begin ..< end` of the file, or fewer where it ends before that
 * @returns the header and its bytes
 * @throws Error that names the file when it is no GGUF file of version 2 or 3, or is damaged; what
 *   `read` throws
 */
export async function readGgufHeader(
  file: string,
  read: (begin: number, end: number) => Promise<Uint8Array>,
): Promise<{ header: GgufHeader; bytes: Uint8Array<ArrayBuffer> }> {
  let bytes = new Uint8Array();
  for (let size = FIRST_BYTES; size <= MAX_HEADER_BYTES; size *= 2) {
    const more = await read(bytes.length, size);
    const joined = new Uint8Array(bytes.length + more.length);
    joined.set(bytes);
    joined.set(more, bytes.length);
    bytes = joined;
    const isWhole = bytes.length < size;
    const header = parseGgufHeader(file, bytes);
    if (header) return { header, bytes: bytes.slice(0, header.bytes) };
    if (isWhole) throw new Error(`${file} is damaged: it ends within its header`);
  }
  throw new Error(`${file}: its header has more than ${MAX_HEADER_BYTES} bytes`);
}

/**
 * @param bytes the beginning of the file
 * @returns undefined when the header has more bytes
 * @throws Error that names the file, when this is no GGUF file of version 2 or 3
 */
export function parseGgufHeader(file: string, bytes: Uint8Array): GgufHeader | undefined {
  try {
    return new HeaderReader(file, bytes).read();
  } catch (error) {
    // A DataView throws it for a position beyond the bytes.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Of a tensor; ggml has four. */
const MAX_AXES = 4;
/** Of metadata; arrays of arrays don't occur in published files. */
const MAX_DEPTH = 4;

class HeaderReader {
  readonly #file: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #decoder = new TextDecoder();
  #at = 0;

  constructor(file: string, bytes: Uint8Array) {
    this.#file = file;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(): GgufHeader {
    const magic = String.fromCharCode(...this.#bytes.subarray(0, 4));
    if (magic !== "GGUF") {
      const pointer = magic === "vers" ? `: it may be a Git LFS pointer` : "";
      throw new Error(`${this.#file} is no GGUF file: it begins with "${magic}"${pointer}`);
    }
    this.#at = 4;
    const version = this.#u32();
    if (version !== 2 && version !== 3) {
      throw new Error(`${this.#file}: GGUF of version ${version}, supported: 2 and 3`);
    }
    const tensorCount = this.#u64();
    const keyCount = this.#u64();
    const metadata = new Map<string, GgufValue>();
    for (let i = 0; i < keyCount; i++) {
      const key = this.#string();
      metadata.set(key, this.#value(this.#u32()));
    }
    const tensors: GgufTensor[] = [];
    for (let i = 0; i < tensorCount; i++) tensors.push(this.#tensor());
    const alignment = metadata.get("general.alignment") ?? 32;
    if (typeof alignment !== "number" || !(alignment > 0)) {
      throw new Error(`${this.#file}: general.alignment is ${String(alignment)}`);
    }
    const dataBegin = Math.ceil(this.#at / alignment) * alignment;
    // A file without padding at its end is read by its last byte.
    if (dataBegin > this.#bytes.length && tensorCount > 0) throw new RangeError();
    return {
      metadata,
      tensors: tensors.map((tensor) => ({ ...tensor, begin: dataBegin + tensor.begin })),
      bytes: Math.min(dataBegin, this.#bytes.length),
    };
  }

  #tensor(): GgufTensor {
    const name = this.#string();
    const axes = this.#u32();
    if (axes > MAX_AXES) {
      throw new Error(`${this.#file}: ${name} has ${axes} axes, expected at most ${MAX_AXES}`);
    }
    const shape = Array.from({ length: axes }, () => this.#u64()).reverse();
    return { name, type: this.#u32(), shape, begin: this.#u64() };
  }

  #value(type: number, depth = 0): GgufValue {
    switch (type) {
      case 0:
        return this.#view.getUint8(this.#skip(1));
      case 1:
        return this.#view.getInt8(this.#skip(1));
      case 2:
        return this.#view.getUint16(this.#skip(2), true);
      case 3:
        return this.#view.getInt16(this.#skip(2), true);
      case 4:
        return this.#u32();
      case 5:
        return this.#view.getInt32(this.#skip(4), true);
      case 6:
        return this.#view.getFloat32(this.#skip(4), true);
      case 7:
        return this.#view.getUint8(this.#skip(1)) !== 0;
      case 8:
        return this.#string();
      case 9: {
        const inner = this.#u32();
        const count = this.#u64();
        // Each element has a byte at least.
        if (count > this.#bytes.length - this.#at) throw new RangeError();
        if (depth >= MAX_DEPTH) break;
        return Array.from({ length: count }, () => this.#value(inner, depth + 1));
      }
      case 10:
        return this.#u64();
      case 11:
        return Number(this.#view.getBigInt64(this.#skip(8), true));
      case 12:
        return this.#view.getFloat64(this.#skip(8), true);
    }
    throw new Error(`${this.#file} is damaged: metadata of type ${type}`);
  }

  #string(): string {
    const length = this.#u64();
    const begin = this.#skip(length);
    if (this.#at > this.#bytes.length) throw new RangeError();
    return this.#decoder.decode(this.#bytes.subarray(begin, this.#at));
  }

  #u32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  #u64(): number {
    return Number(this.#view.getBigUint64(this.#skip(8), true));
  }

  /** @returns the position before */
  #skip(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
}
