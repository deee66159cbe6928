import { codeWords, putCode } from "../../src/weights/formats/codes.ts";
import { fp8Reference, fp8Format } from "../../src/weights/formats/fp8.ts";
import { nf4Format, nf4Reference } from "../../src/weights/formats/nf4.ts";
import { fromBf16, fromF16, toBf16, toF16 } from "../../src/weights/half-floats.ts";
import type { StoredTensor } from "../checkpoint.ts";
import type { GoldenMatrix, PackedTensors } from "./packed-rows.ts";

/**
 * Writers of published layouts. Codes are chosen simply; that readers understand the layouts themselves is
 * tested with files of the tools (`tests/packed-matrices.json`).
 */

type Half = "BF16" | "F16";
const HALVES = { BF16: [toBf16, fromBf16], F16: [toF16, fromF16] } as const;

const tensor = (dtype: string, shape: readonly number[], data: ArrayBufferView): StoredTensor => ({
  ...{
    dtype,
    shape,
    data: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
  },
});

/** @returns 16-bit floats, and their values */
export function halves(values: ArrayLike<number>, type: Half): [Uint16Array, Float32Array] {
  const [to, from] = HALVES[type];
  const bits = Uint16Array.from(values, to);
  return [bits, Float32Array.from(bits, from)];
}

/** Groups of a row of `[O, D]`, the last one perhaps shorter: scales and least values. */
function groupsOf({ values, shape: [O = 0, D = 0] }: GoldenMatrix, group: number) {
  const count = Math.ceil(D / group);
  return Array.from({ length: O * count }, (_, i) => {
    const [o, g] = [Math.floor(i / count), i % count];
    const weights = values.subarray(o * D + g * group, o * D + Math.min((g + 1) * group, D));
    return { low: Math.min(...weights), high: Math.max(...weights) };
  });
}

/** Codes `round(w / scale) + zero` of `[O, D]`, and what they mean. */
function codesOf(
  { values, shape: [, D = 0] }: GoldenMatrix,
  bits: number,
  groupOf: (o: number, k: number) => number,
  scales: Float32Array,
  zeros: ArrayLike<number>,
): { codes: Uint8Array; exact: Float32Array } {
  const codes = new Uint8Array(values.length);
  const exact = new Float32Array(values.length);
  values.forEach((value, i) => {
    const g = groupOf(Math.floor(i / D), i % D);
    const [scale, zero] = [scales[g]!, zeros[g]!];
    codes[i] = Math.min(Math.max(Math.round(value / scale) + zero, 0), 2 ** bits - 1);
    exact[i] = scale * (codes[i]! - zero);
  });
  return { codes, exact };
}

/** Rows of `n` codes, lowest bits first. */
function packRows(codes: ArrayLike<number>, n: number, bits: number): Uint32Array {
  const rows = codes.length / n;
  const words = new Uint32Array(rows * codeWords(n, bits));
  for (let i = 0; i < codes.length; i++) {
    putCode(words, Math.floor(i / n) * codeWords(n, bits), i % n, bits, codes[i]!);
  }
  return words;
}

/** `[rows, columns]` the other way round. */
function transposed<T extends Uint8Array | Uint16Array | Uint32Array>(all: T, columns: number): T {
  const rows = all.length / columns;
  return all.map((_, i) => all[(i % rows) * columns + Math.floor(i / rows)]!) as T;
}

export function mlx(matrix: GoldenMatrix, bits: number, group: number, type: Half): PackedTensors {
  const { values, shape } = matrix;
  const [O = 0, D = 0] = shape;
  const groups = groupsOf(matrix, group);
  const steps = 2 ** bits - 1;
  const [scaleBits, scales] = halves(
    groups.map(({ low, high }) => (high - low) / steps),
    type,
  );
  const [biasBits, biases] = halves(
    groups.map(({ low }) => low),
    type,
  );
  const exact = new Float32Array(values.length);
  const codes = Uint8Array.from(values, (value, i) => {
    const g = Math.floor(i / group);
    const code = Math.round((value - biases[g]!) / (scales[g]! || 1));
    const q = Math.min(Math.max(code, 0), steps);
    exact[i] = scales[g]! * q + biases[g]!;
    return q;
  });
  const sizes = [O, D / group];
  return {
    exact,
    tensors: {
      weight: tensor("U32", [O, codeWords(D, bits)], packRows(codes, D, bits)),
      scales: tensor(type, sizes, scaleBits),
      biases: tensor(type, sizes, biasBits),
    },
  };
}

/** Scales and zeros of integers between 0 and 15. */
function integers(matrix: GoldenMatrix, group: number, symmetric: boolean, type: Half) {
  const groups = groupsOf(matrix, group);
  const span = ({ low, high }: (typeof groups)[number]) =>
    symmetric ? (2 * Math.max(-low, high, 1e-5)) / 15 : (Math.max(high, 0) - Math.min(low, 0)) / 15;
  const [bits, scales] = halves(groups.map(span), type);
  const zeros = Uint8Array.from(groups, ({ low }, i) =>
    symmetric ? 8 : Math.min(Math.max(Math.round(-low / scales[i]!), 1), 15),
  );
  return { bits, scales, zeros };
}

export function compressed(matrix: GoldenMatrix, group: number, symmetric: boolean): PackedTensors {
  const [O = 0, D = 0] = matrix.shape;
  const groups = D / group;
  const { bits, scales, zeros } = integers(matrix, group, symmetric, "BF16");
  const groupOf = (o: number, k: number) => o * groups + Math.floor(k / group);
  const { codes, exact } = codesOf(matrix, 4, groupOf, scales, zeros);
  const packedZeros = transposed(packRows(transposed(zeros, groups), O, 4), codeWords(O, 4));
  return {
    exact,
    tensors: {
      weight_packed: tensor("I32", [O, codeWords(D, 4)], packRows(codes, D, 4)),
      weight_scale: tensor("BF16", [O, groups], bits),
      weight_shape: tensor("I64", [2], BigInt64Array.of(BigInt(O), BigInt(D))),
      ...(!symmetric && {
        weight_zero_point: tensor("I32", [codeWords(O, 4), groups], packedZeros),
      }),
    },
  };
}

/** @param block rows, and columns, that share a scale; default: a row */
export function fp8(matrix: GoldenMatrix, block?: number): PackedTensors {
  const { values, shape } = matrix;
  const [O = 0, D = 0] = shape;
  const [height, width] = block ? [block, block] : [1, D];
  const columns = Math.ceil(D / width);
  const blockOf = (i: number) =>
    Math.floor(Math.floor(i / D) / height) * columns + Math.floor((i % D) / width);
  const largest = new Float32Array(Math.ceil(O / height) * columns);
  values.forEach((value, i) => {
    largest[blockOf(i)] = Math.max(largest[blockOf(i)]!, Math.abs(value));
  });
  const [bits, scales] = halves(
    largest.map((most) => most / 448),
    "BF16",
  );
  const scaled = values.map((value, i) =>
    Math.min(Math.max(value / scales[blockOf(i)]!, -448), 448),
  );
  // Rows whose largest value is 448 have a scale of 1.
  const rows = new Float32Array(O * (D + 8));
  for (let o = 0; o < O; o++) {
    rows.set(scaled.subarray(o * D, (o + 1) * D), o * (D + 8));
    rows[o * (D + 8) + D] = 448;
  }
  const format = fp8Format(D + 8);
  const [words] = fp8Reference.pack(rows, D + 8, format);
  const all = new Uint8Array(words!.buffer);
  const codes = Uint8Array.from(values, (_, i) => all[Math.floor(i / D) * (D + 8) + (i % D)]!);
  const units = new Uint32Array(Float32Array.from({ length: O }, () => 1).buffer);
  const read = fp8Reference.unpack([words!, units], [O, D + 8], format);
  const exact = Float32Array.from(values, (_, i) => {
    return read[Math.floor(i / D) * (D + 8) + (i % D)]! * scales[blockOf(i)]!;
  });
  const scale = block ? "weight_scale_inv" : "weight_scale";
  return {
    exact,
    tensors: {
      weight: tensor("F8_E4M3", shape, codes),
      [scale]: tensor("BF16", [Math.ceil(O / height), columns], bits),
    },
  };
}

const AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7];

export function awq(matrix: GoldenMatrix, group: number): PackedTensors {
  const [O = 0, D = 0] = matrix.shape;
  const groups = D / group;
  const { bits, scales, zeros } = integers(matrix, group, false, "F16");
  const groupOf = (o: number, k: number) => o * groups + Math.floor(k / group);
  const { codes, exact } = codesOf(matrix, 4, groupOf, scales, zeros);
  const words = (rows: Uint8Array) => {
    const ordered = rows.map((_, i) => rows[i - (i % 8) + AWQ_ORDER[i % 8]!]!);
    return packRows(ordered, O, 4);
  };
  return {
    exact,
    tensors: {
      qweight: tensor("I32", [D, O / 8], words(transposed(codes, D))),
      qzeros: tensor("I32", [groups, O / 8], words(transposed(zeros, groups))),
      scales: tensor("F16", [groups, O], transposed(bits, groups)),
    },
  };
}

/** @param actOrder whether the columns of a group lie anywhere */
export function gptq(matrix: GoldenMatrix, group: number, actOrder: boolean): PackedTensors {
  const [O = 0, D = 0] = matrix.shape;
  const groups = Math.ceil(D / group);
  // Column k is the place `order[k]` of the sorted ones; 37 is no divisor of the widths.
  const order = Int32Array.from({ length: D }, (_, k) => (actOrder ? (k * 37) % D : k));
  const sorted = new Float32Array(matrix.values.length);
  matrix.values.forEach((value, i) => (sorted[i - (i % D) + order[i % D]!] = value));
  const { bits, scales, zeros } = integers({ ...matrix, values: sorted }, group, !actOrder, "F16");
  const index = order.map((place) => Math.floor(place / group));
  const groupOf = (o: number, k: number) => o * groups + index[k]!;
  const { codes, exact } = codesOf(matrix, 4, groupOf, scales, zeros);
  const stored = transposed(zeros, groups).map((zero) => zero - 1);
  return {
    exact,
    tensors: {
      qweight: tensor("I32", [D / 8, O], transposed(packRows(codes, D, 4), D / 8)),
      qzeros: tensor("I32", [groups, codeWords(O, 4)], packRows(stored, O, 4)),
      scales: tensor("F16", [groups, O], transposed(bits, groups)),
      g_idx: tensor("I32", [D], index),
    },
  };
}

export function nf4({ values, shape }: GoldenMatrix): PackedTensors {
  const [O = 0, D = 0] = shape;
  const format = nf4Format(64, true);
  const parts = nf4Reference.pack(values, D, format);
  const [codes, absmax, tables] = parts.map((part) => new Uint8Array(part.buffer));
  const floats = new Float32Array(tables!.buffer);
  const blocks = Math.ceil(values.length / 64);
  const state = {
    ...{ quant_type: "nf4", blocksize: 64, dtype: "bfloat16", shape: [O, D] },
    ...{ nested_blocksize: 256, nested_dtype: "float32", nested_offset: floats[272]! },
  };
  const count = values.length / 2;
  const nested = Math.ceil(blocks / 256);
  return {
    exact: nf4Reference.unpack(parts, [O, D], format),
    tensors: {
      weight: tensor("U8", [count, 1], codes!.slice(0, count)),
      "weight.absmax": tensor("U8", [blocks], absmax!.slice(0, blocks)),
      "weight.quant_map": tensor("F32", [16], floats.slice(0, 16)),
      "weight.nested_absmax": tensor("F32", [nested], floats.slice(273, 273 + nested)),
      "weight.nested_quant_map": tensor("F32", [256], floats.slice(16, 272)),
      "weight.quant_state.bitsandbytes__nf4": tensor(
        ...["U8", [JSON.stringify(state).length], new TextEncoder().encode(JSON.stringify(state))],
      ),
    },
  };
}
