import type { RowTarget, StoredMatrix, WeightFormat } from "../format.ts";
import { scalesTo, zerosTo } from "./awq.ts";
import { codeAt, codeWords, putCode } from "./codes.ts";
import { halfType } from "./float-halves.ts";
import { CODES, intFormat } from "./int.ts";
import { expectShape, type FindMatrix, pathOf, wordsOf } from "./packed-tensors.ts";

interface Config {
  readonly bits?: number;
  readonly group_size?: number;
  readonly desc_act?: boolean;
  /** "gptq_v2" stores the codes of 0 as they are, others less one. */
  readonly checkpoint_format?: string;
}

/**
 * GPTQ's layout of 4 and 8 bits: `qweight` I32 `[D * bits / 32, O]`, packed along D, `qzeros` I32
 * `[groups, O * bits / 32]`, `scales` `[groups, O]`, and `g_idx` I32 `[D]`, the group of each column.
 * With `desc_act` the columns of a group lie anywhere. They are sorted by group as the matrix is
 * loaded, and the layer's input is put in the same order.
 */
export const gptq: WeightFormat = { ...intFormat(4, 128, "F16", "stored"), findMatrix };

function findMatrix(
  ...[name, { tensors, files }]: Parameters<FindMatrix>
): StoredMatrix | undefined {
  const path = pathOf(name);
  const named = (part: string) => {
    const info = tensors.get(`${path}.${part}`);
    return info && { name: `${path}.${part}`, info };
  };
  const [codes, zeros, scales] = ["qweight", "qzeros", "scales"].map(named);
  if (!path || !codes || !zeros || !scales) return undefined;
  const { quantization_config: config = {} } = (files["config.json"] ?? {}) as {
    readonly quantization_config?: Config;
  };
  const { bits = 4, group_size = 128 } = config;
  if (bits !== 4 && bits !== 8) {
    throw new Error(`${name}: GPTQ with ${bits} bits is not supported, expected 4 or 8`);
  }
  const [words = 0, O = 0] = codes.info.shape;
  const [groups = 0] = scales.info.shape;
  const D = (words * 32) / bits;
  const group = group_size > 0 ? group_size : Math.ceil(D / 8) * 8;
  expectShape(codes.name, codes.info, [words, O], "I32");
  expectShape(scales.name, scales.info, [Math.ceil(D / group), O]);
  expectShape(zeros.name, zeros.info, [groups, codeWords(O, bits)], "I32");
  const order = config.desc_act ? named("g_idx") : undefined;
  const added = config.checkpoint_format === "gptq_v2" ? 0 : 1;
  return {
    shape: [O, D],
    format: intFormat(bits, group, halfType(scales.name, scales.info), "stored"),
    isReordered: order !== undefined,
    isSlow: true,
    tensors: [codes, zeros, scales, ...(order ? [order] : [])].map((one) => ({ ...one, rows: 1 })),
    writeTo(target) {
      const columns = columnsTo(target, [O, D], bits, order && { name: order.name, group });
      return [
        (_first, _count, bytes) => columns.codes(transposed(wordsOf(bytes), O)),
        (_first, _count, bytes) => {
          const stored = wordsOf(bytes);
          const zeroOf = (g: number, o: number) =>
            (codeAt(stored, g * codeWords(O, bits), o, bits) + added) & (2 ** bits - 1);
          return zerosTo(target, [O, groups], bits, zeroOf);
        },
        (_first, _count, bytes) => scalesTo(target, [O, groups], bytes),
        ...(order
          ? [
              (_f: number, _c: number, bytes: Uint8Array) =>
                columns.groups(new Int32Array(wordsOf(bytes).buffer)),
            ]
          : []),
      ];
    },
  };
}

/** @returns words `[n, O]` as `[O, n]` */
function transposed(stored: Uint32Array, O: number): Uint32Array {
  const n = stored.length / O;
  const words = new Uint32Array(stored.length);
  for (let word = 0; word < n; word++) {
    for (let o = 0; o < O; o++) words[o * n + word] = stored[word * O + o]!;
  }
  return words;
}

/**
 * Takes all codes, `[O, D * bits / 32]`, and, where the columns are sorted by them, the groups of the
 * columns, `[D]`; in any order.
 *
 * @param sorted the size of the groups, and the tensor that has each column's
 */
export function columnsTo(
  target: RowTarget,
  [O, D]: readonly [O: number, D: number],
  bits: number,
  sorted: { readonly name: string; readonly group: number } | undefined,
): {
  codes(rows: Uint32Array): Promise<void> | void;
  /** Throws TypeError when a group has more or fewer columns than its size. */
  groups(groups: Int32Array): Promise<void> | void;
} {
  let codes: Uint32Array | undefined;
  let order: Uint32Array | undefined;
  const write = async () => {
    if (!codes || (sorted && !order)) return;
    const rows = order ? withColumns(codes, [O, D], bits, order) : codes;
    if (order) await target.orderColumns(order);
    codes = undefined;
    await target.copy(CODES, 0, new Uint8Array(rows.buffer));
  };
  return {
    codes(rows) {
      codes = rows;
      return write();
    },
    groups(groups) {
      const columns = Uint32Array.from({ length: D }, (_, k) => k);
      columns.sort((a, b) => groups[a]! - groups[b]! || a - b);
      // -1 is no group: the columns are in their own order.
      const isUnset = groups.every((one) => one === -1);
      columns.forEach((k, i) => {
        const expected = Math.floor(i / (sorted?.group ?? D));
        if (isUnset || groups[k] === expected) return;
        throw new TypeError(
          `${sorted?.name}: column ${k} is of group ${groups[k]}, expected groups of ${sorted?.group} columns`,
        );
      });
      order = columns;
      return write();
    },
  };
}

/** @returns rows of codes whose column k is column `order[k]` of the given ones */
function withColumns(
  codes: Uint32Array,
  [O, D]: readonly [O: number, D: number],
  bits: number,
  order: Uint32Array,
): Uint32Array {
  const sorted = new Uint32Array(codes.length);
  const rowWords = codeWords(D, bits);
  for (let row = 0; row < O * rowWords; row += rowWords) {
    for (let k = 0; k < D; k++) putCode(sorted, row, k, bits, codeAt(codes, row, order[k]!, bits));
  }
  return sorted;
}
