/** Bytes of an element of each safetensors dtype. */
const DTYPE_BYTES: Readonly<Record<string, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
};

/** The limit of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;

/** A tensor of a checkpoint, and the position of its bytes. */
export interface TensorInfo {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The tensor is bytes `begin ..< end` of this file. */
  readonly file: string;
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Bytes of the whole file. */
  readonly fileBytes: number;
}

/**
 * @param bytes the file's first 8 bytes, or more
 * @returns the bytes before the first tensor: the header and the 8 bytes of its length
 * @throws Error when this can't be a safetensors file
 */
export function headerBytes(file: string, bytes: Uint8Array): number {
  if (bytes.length < 8)
    throw new Error(`${file} is no safetensors file: it has ${bytes.length} bytes`);
  const text = String.fromCharCode(...bytes.subarray(0, 8));
  if (text === "version ") {
    throw new Error(
      `${file} is a Git LFS pointer, not a weight file: fetch it with "git lfs pull"`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length < 2 || length > MAX_HEADER_BYTES) {
    throw new Error(`${file} is no safetensors file: its header would have ${length} bytes`);
  }
  return 8 + length;
}

/**
 * Reads a header, and checks everything in it. A tensor may have a dtype that is not known: it may be
 * one that nothing reads.
 *
 * @param bytes the file's first `headerBytes` bytes, or more
 * @throws Error that names the file, the tensor and the fault
 */
export function parseHeader(file: string, bytes: Uint8Array): SafetensorsHeader {
  const dataBegin = headerBytes(file, bytes);
  if (bytes.length < dataBegin) {
    throw new Error(`${file}: the header has ${dataBegin} bytes, the file only ${bytes.length}`);
  }
  const entries = Object.entries(parseJson(file, bytes.subarray(8, dataBegin)));
  const tensors = new Map<string, TensorInfo>();
  for (const [name, entry] of entries) {
    if (name !== "__metadata__") tensors.set(name, parseTensor(file, name, entry, dataBegin));
  }
  return { tensors, fileBytes: checkLayout(file, tensors, dataBegin) };
}

function parseJson(file: string, bytes: Uint8Array): object {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Error(`${file} is no safetensors file: its header is not JSON`, { cause });
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw new Error(`${file} is no safetensors file: its header is not an object`);
  }
  return header;
}

function parseTensor(file: string, name: string, entry: unknown, dataBegin: number): TensorInfo {
  const { dtype, shape, data_offsets } = (entry ?? {}) as Record<string, unknown>;
  const wrong = (what: string) => new Error(`${file}: tensor ${name}: ${what}`);
  if (typeof dtype !== "string") throw wrong(`dtype ${JSON.stringify(dtype)} is not a name`);
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw wrong(`shape ${JSON.stringify(shape)} is not a list of sizes`);
  }
  if (!Array.isArray(data_offsets) || data_offsets.length !== 2 || !data_offsets.every(isCount)) {
    throw wrong(`data_offsets ${JSON.stringify(data_offsets)} are not two positions`);
  }
  const [begin, end] = data_offsets as [number, number];
  // Of a dtype that came later than this list, any number of bytes is right.
  const elementBytes = Object.hasOwn(DTYPE_BYTES, dtype) ? DTYPE_BYTES[dtype] : undefined;
  const bytes = shape.reduce((product, size) => product * size, elementBytes ?? NaN);
  if (end < begin || (elementBytes && end - begin !== bytes)) {
    throw wrong(`[${shape}] ${dtype} takes ${bytes} bytes, data_offsets [${data_offsets}] differ`);
  }
  return { dtype, shape, file, begin: dataBegin + begin, end: dataBegin + end };
}

/** Checks that the tensors have no gap or overlap. Returns where the last one ends. */
function checkLayout(
  file: string,
  tensors: ReadonlyMap<string, TensorInfo>,
  dataBegin: number,
): number {
  let position = dataBegin;
  for (const [name, { begin, end }] of [...tensors].sort(
    ([, a], [, b]) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== position) {
      const fault = begin < position ? "overlaps the one before it" : "leaves a gap before it";
      throw new Error(
        `${file}: tensor ${name} ${fault}: it begins at ${begin}, expected ${position}`,
      );
    }
    position = end;
  }
  return position;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
