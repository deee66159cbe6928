import type {
  FormatReference,
  RowTarget,
  StoredMatrix,
  WeightFormat,
  WriteRows,
} from "../format.ts";
import { fromBf16, fromF16, toBf16, toF16 } from "../half-floats.ts";
import { affineCode, unpackAffine } from "./affine.ts";
import { codeWords, putCode } from "./codes.ts";
import { type HalfType, halfType, halvesOf } from "./float-halves.ts";
import { expectShape, memoized, pathOf } from "./packed-tensors.ts";

const BITS = [2, 3, 4, 5, 6, 8];
const GROUPS = [32, 64, 128];

/**
 * MLX's affine format: codes of `bits` bits, each group of weights with a scale and a bias. All parts
 * are kept bit for bit.
 *
 * @param bits 2, 3, 4, 5, 6 or 8
 * @param group weights that share a scale: 32, 64 or 128
 * @param type of scales and biases
 */
export const mlxFormat = memoized((bits: number, group: number, type: HalfType): WeightFormat => {
  const constants = { BITS: bits, GROUP: group, IS_F16: Number(type === "F16") };
  return {
    name: "mlx",
    code: affineCode,
    hasLines: true,
    constants,
    blockSize: group,
    rowMultiple: group,
    parts: [
      { name: "codes", dtype: "u32", rowWords: (D) => codeWords(D, bits) },
      { name: "affine", dtype: "u32", rowWords: (D) => D / group },
    ],
    // Early versions of mlx-vlm quantized the positions of towers, too.
    decode: (parts, shape) => unpackAffine(parts, shape, { constants }),
  };
});

/** `quantization` in config.json. It has a further entry for each module that differs, or `false`. */
interface Settings {
  readonly group_size?: number;
  readonly bits?: number;
  readonly mode?: string;
}

/** MLX's format, as `mlx-vlm` writes it. */
export const mlx: WeightFormat = { ...mlxFormat(4, 64, "BF16"), findMatrix };

function findMatrix(
  ...[name, { tensors, files }]: Parameters<NonNullable<WeightFormat["findMatrix"]>>
): StoredMatrix | undefined {
  const path = pathOf(name);
  const info = tensors.get(name);
  const scales = tensors.get(`${path}.scales`);
  if (!path || !info || info.dtype !== "U32" || !scales) return undefined;
  const { bits = 4, group_size = 64, mode = "affine" } = settingsOf(files, path);
  const biases = tensors.get(`${path}.biases`);
  if (mode !== "affine" || !biases || !BITS.includes(bits) || !GROUPS.includes(group_size)) {
    throw new Error(
      `${name}: MLX's mode ${mode} with ${bits} bits in groups of ${group_size} is not supported, ` +
        `expected affine, ${BITS.join(", ")} bits, groups of ${GROUPS.join(", ")}`,
    );
  }
  const type = halfType(`${path}.scales`, scales);
  const [O = 0, groups = 0] = scales.shape;
  const D = groups * group_size;
  expectShape(name, info, [O, codeWords(D, bits)]);
  expectShape(`${path}.biases`, biases, [O, groups], type);
  return {
    shape: [O, D],
    format: mlxFormat(bits, group_size, type),
    tensors: [
      { name, info, rows: O },
      { name: `${path}.scales`, info: scales, rows: O },
      { name: `${path}.biases`, info: biases, rows: O },
    ],
    writeTo: (target) => [
      (first, _, bytes) => target.copy(0, first, bytes),
      ...interleaved(target, 1, O, groups),
    ],
  };
}

function settingsOf(files: Readonly<Record<string, unknown>>, path: string): Settings {
  const { quantization, quantization_config } = (files["config.json"] ?? {}) as Record<
    string,
    Settings & Record<string, Settings | undefined>
  >;
  const settings = quantization ?? quantization_config;
  return { ...settings, ...settings?.[path] };
}

/**
 * Joins two tensors `[O, n]` of 16-bit values to words `[O, n]`: the first one's are the lower halves.
 *
 * @returns what takes the rows of each
 */
function interleaved(
  target: RowTarget,
  part: number,
  O: number,
  n: number,
): readonly [WriteRows, WriteRows] {
  let pairs: Uint16Array | undefined;
  let missing = 2 * O;
  const take =
    (place: 0 | 1): WriteRows =>
    (first, count, bytes) => {
      pairs ??= new Uint16Array(2 * O * n);
      const halves = halvesOf(bytes);
      for (let i = 0; i < halves.length; i++) pairs[2 * (first * n + i) + place] = halves[i]!;
      missing -= count;
      if (missing > 0) return;
      const whole = new Uint8Array(pairs.buffer);
      pairs = undefined;
      return target.copy(part, 0, whole);
    };
  return [take(0), take(1)];
}

export const mlxReference: FormatReference = { pack, unpack: unpackAffine };

/** A group's scale and bias are those of its least and largest weight. */
function pack(values: Float32Array, D: number, { constants }: WeightFormat): Uint32Array[] {
  const {
    BITS: bits,
    GROUP: group,
    IS_F16,
  } = constants as { BITS: number; GROUP: number; IS_F16: number };
  const [to, from] = IS_F16 ? [toF16, fromF16] : [toBf16, fromBf16];
  const O = values.length / D;
  const words = new Uint32Array(O * codeWords(D, bits));
  const affine = new Uint32Array((O * D) / group);
  for (let at = 0; at < affine.length; at++) {
    const weights = values.subarray(at * group, (at + 1) * group);
    const low = Math.min(...weights);
    const scaleBits = to((Math.max(...weights) - low) / (2 ** bits - 1));
    const biasBits = to(low);
    affine[at] = scaleBits + biasBits * 2 ** 16;
    const o = Math.floor((at * group) / D);
    weights.forEach((weight, i) => {
      const steps = Math.round((weight - from(biasBits)) / (from(scaleBits) || 1));
      const q = Math.min(Math.max(steps, 0), 2 ** bits - 1);
      putCode(words, o * codeWords(D, bits), at * group + i - o * D, bits, q);
    });
  }
  return [words, affine];
}
