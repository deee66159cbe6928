import type { RowTarget, StoredMatrix, WeightFormat, WriteRows } from "../format.ts";
import { codeAt, codeWords, putCode } from "./codes.ts";
import { halfType, halvesOf } from "./float-halves.ts";
import { CODES, intFormat, SCALES, ZEROS } from "./int.ts";
import { expectShape, type FindMatrix, pathOf, wordsOf } from "./packed-tensors.ts";

/** Column, of eight, that each nibble of a word belongs to. */
const ORDER = [0, 2, 4, 6, 1, 3, 5, 7] as const;

/**
 * AWQ's `gemm` layout of 4 bits: `qweight` I32 `[D, O/8]` and `qzeros` I32 `[groups, O/8]`, packed
 * along O, and `scales` F16 `[groups, O]`. The matrix is transposed as it is loaded.
 */
export const awq: WeightFormat = { ...intFormat(4, 128, "F16", "stored"), findMatrix };

function findMatrix(...[name, { tensors }]: Parameters<FindMatrix>): StoredMatrix | undefined {
  const path = pathOf(name);
  const [codesName, zerosName, scalesName] = [
    `${path}.qweight`,
    `${path}.qzeros`,
    `${path}.scales`,
  ];
  const codes = tensors.get(codesName);
  const zeros = tensors.get(zerosName);
  const scales = tensors.get(scalesName);
  // GPTQ has the same names, but one of its words is eight weights of a row.
  if (!path || !codes || !zeros || !scales || codes.shape[1] !== zeros.shape[1]) return undefined;
  const [D = 0, words = 0] = codes.shape;
  const [groups = 0] = zeros.shape;
  const O = words * 8;
  const group = D / groups;
  if (group % 8 !== 0) {
    throw new TypeError(
      `${name}: ${codesName} has ${D} rows in ${groups} groups, expected equal ones`,
    );
  }
  expectShape(codesName, codes, [D, words], "I32");
  expectShape(zerosName, zeros, [groups, words], "I32");
  expectShape(scalesName, scales, [groups, O]);
  return {
    shape: [O, D],
    format: intFormat(4, group, halfType(scalesName, scales), "stored"),
    isSlow: true,
    tensors: [
      { name: codesName, info: codes, rows: D / 8 },
      { name: zerosName, info: zeros, rows: 1 },
      { name: scalesName, info: scales, rows: 1 },
    ],
    writeTo: (target) => [
      codesTo(target, O, D),
      (_first, _count, bytes) => {
        const stored = wordsOf(bytes);
        const zeroOf = (g: number, o: number) =>
          codeAt(stored, g * words + (o >> 3), ORDER.indexOf((o & 7) as 0), 4);
        return zerosTo(target, [O, groups], 4, zeroOf);
      },
      (_first, _count, bytes) => scalesTo(target, [O, groups], bytes),
    ],
  };
}

/** Takes eight rows of `qweight` at a time, which are one word of each row of the matrix. */
function codesTo(target: RowTarget, O: number, D: number): WriteRows {
  const rowWords = D / 8;
  let codes: Uint32Array | undefined;
  let missing = rowWords;
  return (first, count, bytes) => {
    codes ??= new Uint32Array(O * rowWords);
    const stored = wordsOf(bytes);
    const square = new Uint32Array(8);
    for (let k = 0; k < count; k++) {
      for (let word = 0; word < O / 8; word++) {
        for (let i = 0; i < 8; i++) square[i] = stored[(k * 8 + i) * (O / 8) + word]!;
        transposeNibbles(square);
        for (let i = 0; i < 8; i++) {
          codes[(8 * word + ORDER[i]!) * rowWords + first + k] = square[i]!;
        }
      }
    }
    missing -= count;
    if (missing > 0) return;
    const whole = new Uint8Array(codes.buffer);
    codes = undefined;
    return target.copy(CODES, 0, whole);
  };
}

/** Makes nibble j of word i nibble i of word j. */
function transposeNibbles(words: Uint32Array): void {
  for (const [distance, mask] of [
    [4, 0x0000ffff],
    [2, 0x00ff00ff],
    [1, 0x0f0f0f0f],
  ] as const) {
    const bits = 4 * distance;
    for (let i = 0; i < 8; i++) {
      if (i & distance) continue;
      const swapped = ((words[i]! >>> bits) ^ words[i + distance]!) & mask;
      words[i + distance]! ^= swapped;
      words[i]! ^= swapped << bits;
    }
  }
}

/**
 * Copies the codes of 0.
 *
 * @param zeroOf returns the one of a group and a row
 */
export function zerosTo(
  target: RowTarget,
  [O, groups]: readonly [O: number, groups: number],
  bits: number,
  zeroOf: (group: number, o: number) => number,
): Promise<void> {
  const rowWords = codeWords(groups, bits);
  const words = new Uint32Array(O * rowWords);
  for (let o = 0; o < O; o++) {
    for (let g = 0; g < groups; g++) putCode(words, o * rowWords, g, bits, zeroOf(g, o));
  }
  return target.copy(ZEROS, 0, new Uint8Array(words.buffer));
}

/** Copies scales `[groups, O]` of 16 bits. */
export function scalesTo(
  target: RowTarget,
  [O, groups]: readonly [O: number, groups: number],
  bytes: Uint8Array,
): Promise<void> {
  const stored = halvesOf(bytes);
  const rowHalves = 2 * Math.ceil(groups / 2);
  const halves = new Uint16Array(O * rowHalves);
  for (let g = 0; g < groups; g++) {
    for (let o = 0; o < O; o++) halves[o * rowHalves + g] = stored[g * O + o]!;
  }
  return target.copy(SCALES, 0, new Uint8Array(halves.buffer));
}
