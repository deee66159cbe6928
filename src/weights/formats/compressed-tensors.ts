import type { RowTarget, StoredMatrix, WeightFormat, WriteRows } from "../format.ts";
import { codeAt, codeWords, putCode } from "./codes.ts";
import { halfType } from "./float-halves.ts";
import { columnsTo } from "./gptq.ts";
import { CODES, intFormat, SCALES, ZEROS } from "./int.ts";
import { expectShape, type FindMatrix, paddedHalves, pathOf, wordsOf } from "./packed-tensors.ts";

/** The settings of a group of layers in `quantization_config.config_groups`. */
interface Scheme {
  readonly weights?: { readonly num_bits?: number } | null;
}

/**
 * `pack-quantized` of compressed-tensors: `weight_packed` I32 `[O, D * bits / 32]`, `weight_scale`
 * `[O, groups]`, and unless 0 is the middle code `weight_zero_point`: I32 `[O * bits / 32, groups]`,
 * packed along O, or I8 `[O, groups]`. With actorder "group", `weight_g_idx` I32 `[D]` has the group of each
 * column, and the columns are sorted by it as the matrix is loaded, as GPTQ's are.
 */
export const compressedTensors: WeightFormat = {
  ...intFormat(4, 128, "BF16", "stored"),
  findMatrix,
};

function findMatrix(
  ...[name, { tensors, files }, width]: Parameters<FindMatrix>
): StoredMatrix | undefined {
  const path = pathOf(name);
  const [codesName, scalesName, zerosName] = ["packed", "scale", "zero_point"].map(
    (part) => `${path}.weight_${part}`,
  ) as [string, string, string];
  const codes = tensors.get(codesName);
  const scales = tensors.get(scalesName);
  const zeros = tensors.get(zerosName);
  if (!path || !scales || codes?.dtype !== "I32") return undefined;
  const [O = 0, words = 0] = codes.shape;
  const bits = width ? (words * 32) / width : bitsOf(files);
  const D = (words * 32) / bits;
  const groups = scales.shape[1] ?? 1;
  const group = groupOf(D, groups);
  if (![4, 8].includes(bits) || !group || scales.shape[0] !== O) {
    throw new Error(
      `${name}: ${codesName} [${codes.shape}] and ${scalesName} [${scales.shape}] are not supported, ` +
        `expected rows of 4 or 8 bits, in equal groups`,
    );
  }
  const groupsName = `${path}.weight_g_idx`;
  const order = tensors.get(groupsName);
  if (order) expectShape(groupsName, order, [D], "I32");
  const type = halfType(scalesName, scales);
  return {
    shape: [O, D],
    format: intFormat(bits, group, type, zeros ? "stored" : "middle"),
    isReordered: order !== undefined,
    isSlow: order !== undefined,
    tensors: [
      { name: codesName, info: codes, rows: order ? 1 : O },
      { name: scalesName, info: scales, rows: O },
      ...(zeros ? [{ name: zerosName, info: zeros, rows: zeros.shape[0] ?? 0 }] : []),
      ...(order ? [{ name: groupsName, info: order, rows: 1 }] : []),
    ],
    writeTo(target) {
      const columns = order && columnsTo(target, [O, D], bits, { name: groupsName, group });
      return [
        (first, _, bytes) =>
          columns ? columns.codes(wordsOf(bytes)) : target.copy(CODES, first, bytes),
        (first, count, bytes) => target.copy(SCALES, first, paddedHalves(bytes, count)),
        ...(zeros ? [zerosTo(target, O, groups, bits, zeros.dtype)] : []),
        ...(columns
          ? [
              (_f: number, _c: number, bytes: Uint8Array) =>
                columns.groups(new Int32Array(wordsOf(bytes).buffer)),
            ]
          : []),
      ];
    },
  };
}

/** @returns the size of the groups of a row, or undefined where they are not equal */
function groupOf(D: number, groups: number): number | undefined {
  return D % groups === 0 && (D / groups) % 8 === 0 ? D / groups : undefined;
}

function bitsOf(files: Readonly<Record<string, unknown>>): number {
  const { quantization_config: config } = (files["config.json"] ?? {}) as {
    readonly quantization_config?: { readonly config_groups?: Readonly<Record<string, Scheme>> };
  };
  return Object.values(config?.config_groups ?? {})[0]?.weights?.num_bits ?? 4;
}

/** Takes zero points, which are counted from the middle code. */
function zerosTo(
  target: RowTarget,
  O: number,
  groups: number,
  bits: number,
  dtype: string,
): WriteRows {
  const packed = dtype === "I8" ? 1 : 32 / bits; // rows of the matrix in a row of the tensor
  const middle = 2 ** (bits - 1);
  return (first, count, bytes) => {
    const stored = packed > 1 ? wordsOf(bytes) : undefined;
    const rows = Math.min(count * packed, O - first * packed);
    const rowWords = codeWords(groups, bits);
    const words = new Uint32Array(rows * rowWords);
    for (let o = 0; o < rows; o++) {
      for (let g = 0; g < groups; g++) {
        const zero = stored
          ? codeAt(stored, Math.floor(o / packed) * groups + g, o % packed, bits)
          : (bytes[o * groups + g]! + middle) & (2 ** bits - 1);
        putCode(words, o * rowWords, g, bits, zero);
      }
    }
    return target.copy(ZEROS, first * packed, new Uint8Array(words.buffer));
  };
}
