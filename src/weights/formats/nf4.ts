import { elementCount } from "../../gpu/tensor.ts";
import type {
  FormatReference,
  RowTarget,
  StoredMatrix,
  WeightFormat,
  WriteRows,
} from "../format.ts";
import code from "./nf4.wgsl?raw";
import { expectShape, type FindMatrix, memoized } from "./packed-tensors.ts";

const BLOCK = 64;
/** Scales that share one of the second level. */
const NESTED_BLOCK = 256;
/** Places in the tables. */
const [NESTED_TABLE, OFFSET, NESTED_ABSMAX] = [16, 272, 273];

/**
 * Four-bit codes that look values up in a table (NF4, arXiv 2305.14314, or FP4), each `block` of weights
 * with a scale. The matrix is one row of blocks: a block may reach into the next row.
 *
 * @param block a multiple of 8
 * @param isNested whether the scales are quantized too
 */
export const nf4Format = memoized((block: number, isNested: boolean): WeightFormat => {
  const blocks = (O: number, D: number) => Math.ceil((O * D) / block);
  return {
    name: "nf4",
    code,
    constants: { BLOCK: block, IS_NESTED: Number(isNested) },
    blockSize: 8,
    rowMultiple: 4,
    parts: [
      { name: "codes", dtype: "u32", words: (O, D) => Math.ceil((O * D) / 8) },
      {
        name: "absmax",
        dtype: "u32",
        words: (O, D) => (isNested ? Math.ceil(blocks(O, D) / 4) : blocks(O, D)),
      },
      {
        name: "tables",
        dtype: "f32",
        words: (O, D) => (isNested ? NESTED_ABSMAX + Math.ceil(blocks(O, D) / NESTED_BLOCK) : 16),
      },
    ],
  };
});

/**
 * bitsandbytes' 4-bit layout: `weight` U8 `[O * D / 2, 1]`, `weight.absmax`, `weight.quant_map`, with
 * double quantization `weight.nested_absmax` and `weight.nested_quant_map`, and
 * `weight.quant_state.bitsandbytes__nf4`, the bytes of a JSON text. Only that text has the matrix's
 * shape. Reading it early would take a request for each matrix, so the model says how wide the matrix
 * is, and the text is checked as it arrives.
 */
export const nf4: WeightFormat = { ...nf4Format(BLOCK, true), findMatrix };

function findMatrix(...[name, { tensors }, D]: Parameters<FindMatrix>): StoredMatrix | undefined {
  const named = (suffix: string) => {
    const info = tensors.get(name + suffix);
    return info && { name: name + suffix, info, rows: 1 };
  };
  const codes = named("");
  const absmax = named(".absmax");
  const table = named(".quant_map");
  const state = named(".quant_state.bitsandbytes__nf4") ?? named(".quant_state.bitsandbytes__fp4");
  if (!codes || !absmax || !table || !state) return undefined;
  const nested = [".nested_absmax", ".nested_quant_map"]
    .map(named)
    .filter((one) => one !== undefined);
  const count = 2 * elementCount(codes.info.shape);
  if (!D) {
    throw new Error(
      `${name}: bitsandbytes' 4 bits are supported in layers, not in a head or in embeddings: ` +
        `load the repository that it was made from`,
    );
  }
  if (count % D !== 0) {
    throw new Error(
      `${name} is not supported in ${codes.info.dtype}: it has ${count} weights, in rows of ${D}`,
    );
  }
  const O = count / D;
  const blocks = elementCount(absmax.info.shape);
  const block = 2 ** Math.round(Math.log2(count / blocks));
  const isNested = nested.length === 2;
  expectShape(name, codes.info, codes.info.shape, "U8");
  expectShape(absmax.name, absmax.info, [Math.ceil(count / block)], isNested ? "U8" : "F32");
  expectShape(table.name, table.info, [16], "F32");
  const [scales, scaleTable] = nested;
  if (scales && scaleTable) {
    expectShape(scales.name, scales.info, [Math.ceil(blocks / NESTED_BLOCK)], "F32");
    expectShape(scaleTable.name, scaleTable.info, [256], "F32");
  }
  const format = nf4Format(block, isNested);
  const expected = {
    shape: [O, D],
    blocksize: block,
    nested_blocksize: isNested ? NESTED_BLOCK : undefined,
  };
  return {
    shape: [O, D],
    format,
    tensors: [codes, absmax, table, state, ...nested],
    writeTo(target) {
      const tables = new Float32Array(format.parts[2]!.words!(O, D));
      let missing = isNested ? 4 : 2;
      const take =
        (place: number, read: (bytes: Uint8Array) => Float32Array): WriteRows =>
        (_first, _count, bytes) => {
          const values = read(bytes);
          tables.set(values, place);
          if (--missing === 0) return target.copy(2, 0, new Uint8Array(tables.buffer));
        };
      return [
        whole(target, 0),
        whole(target, 1),
        take(0, floats),
        take(OFFSET, (bytes) => offsetOf(state.name, bytes, expected)),
        take(NESTED_ABSMAX, floats),
        take(NESTED_TABLE, floats),
      ].slice(0, isNested ? 6 : 4);
    },
  };
}

const floats = (bytes: Uint8Array): Float32Array => new Float32Array(bytes.slice().buffer);

/** Copies a whole part, filled up to whole words. */
function whole(target: RowTarget, part: number): WriteRows {
  return (_first, _count, bytes) => {
    const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    padded.set(bytes);
    return target.copy(part, 0, padded);
  };
}

interface QuantState {
  readonly shape: readonly number[];
  readonly blocksize: number;
  readonly nested_blocksize?: number | undefined;
}

/** @returns `nested_offset` if there is one; throws TypeError when the matrix is another than expected */
function offsetOf(name: string, bytes: Uint8Array, expected: QuantState): Float32Array {
  const state = JSON.parse(new TextDecoder().decode(bytes)) as QuantState & {
    readonly nested_offset?: number;
  };
  for (const field of ["shape", "blocksize", "nested_blocksize"] as const) {
    if (String(state[field]) === String(expected[field])) continue;
    throw new TypeError(`${name}: ${field} is ${state[field]}, expected ${expected[field]}`);
  }
  return Float32Array.from(state.nested_offset === undefined ? [] : [state.nested_offset]);
}

export const nf4Reference: FormatReference = { pack, unpack };

const TABLE = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
  -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
  0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
  0.7229568362236023, 1,
];

/** The scales' own codes are steps of 1/127; bitsandbytes' are finer near 0. */
function pack(values: Float32Array, _: number, { constants }: WeightFormat): Uint32Array[] {
  const { BLOCK: block, IS_NESTED } = constants as { BLOCK: number; IS_NESTED: number };
  const absmax = Float32Array.from({ length: Math.ceil(values.length / block) }, (_, b) =>
    values.subarray(b * block, (b + 1) * block).reduce((most, w) => Math.max(most, Math.abs(w)), 0),
  );
  const codes = new Uint8Array(Math.ceil(values.length / 8) * 4);
  const encode = (scales: Float32Array) =>
    values.forEach((w, i) => {
      const value = w / (scales[Math.floor(i / block)]! || 1);
      const q = TABLE.reduce(
        (best, v, k) => (Math.abs(v - value) < Math.abs(TABLE[best]! - value) ? k : best),
        0,
      );
      codes[i >> 1]! |= q << (i & 1 ? 0 : 4);
    });
  const words = (bytes: Uint8Array) => new Uint32Array(bytes.buffer);
  if (!IS_NESTED) {
    encode(absmax);
    return [
      words(codes),
      new Uint32Array(absmax.buffer),
      new Uint32Array(Float32Array.from(TABLE).buffer),
    ];
  }
  const groups = Math.ceil(absmax.length / NESTED_BLOCK);
  const tables = new Float32Array(NESTED_ABSMAX + groups);
  tables.set(TABLE);
  for (let i = 0; i < 256; i++) tables[NESTED_TABLE + i] = (i - 127) / 127;
  const offset = Math.fround(absmax.reduce((sum, scale) => sum + scale, 0) / absmax.length);
  tables[OFFSET] = offset;
  const small = new Uint8Array(Math.ceil(absmax.length / 4) * 4);
  for (let g = 0; g < groups; g++) {
    const scales = absmax.subarray(g * NESTED_BLOCK, (g + 1) * NESTED_BLOCK);
    const most = scales.reduce((m, scale) => Math.max(m, Math.abs(scale - offset)), 0);
    tables[NESTED_ABSMAX + g] = most;
    scales.forEach((scale, i) => {
      small[g * NESTED_BLOCK + i] = Math.round(((scale - offset) / (most || 1)) * 127) + 127;
    });
  }
  const packed = [words(codes), words(small), new Uint32Array(tables.buffer)];
  encode(absmax.map((_, b) => absmaxAt(packed[1]!, tables, b, IS_NESTED)));
  return packed;
}

function absmaxAt(absmax: Uint32Array, tables: Float32Array, b: number, isNested: number): number {
  if (!isNested) return new Float32Array(absmax.buffer, absmax.byteOffset)[b]!;
  const a = (absmax[b >> 2]! >>> ((b & 3) * 8)) & 255;
  const product = Math.fround(
    tables[NESTED_TABLE + a]! * tables[NESTED_ABSMAX + Math.floor(b / NESTED_BLOCK)]!,
  );
  return Math.fround(product + tables[OFFSET]!);
}

function unpack(
  [
    codes = new Uint32Array(),
    absmax = new Uint32Array(),
    tables = new Uint32Array(),
  ]: readonly Uint32Array[],
  [O, D]: readonly [O: number, D: number],
  { constants }: WeightFormat,
): Float32Array {
  const { BLOCK: block, IS_NESTED } = constants as { BLOCK: number; IS_NESTED: number };
  const bytes = new Uint8Array(codes.slice().buffer);
  const floats = new Float32Array(tables.slice().buffer);
  const scales = Float32Array.from({ length: Math.ceil((O * D) / block) }, (_, b) =>
    absmaxAt(absmax, floats, b, IS_NESTED),
  );
  return Float32Array.from({ length: O * D }, (_, i) => {
    const q = (bytes[i >> 1]! >> (i & 1 ? 0 : 4)) & 15;
    return floats[q]! * scales[Math.floor(i / block)]!;
  });
}
