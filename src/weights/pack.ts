import type { WeightFormat } from "../gpu/weight.ts";

/**
 * The formats in plain JavaScript: what the kernels compute, for tests and for reading a weight
 * back.
 */

const words = new DataView(new ArrayBuffer(4));

/** @returns the bits of the nearest half float, ties to even */
export function toF16(value: number): number {
  words.setFloat32(0, value);
  const bits = words.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(Math.fround(value));
  if (Number.isNaN(magnitude)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundToEven(magnitude * 2 ** 24);
  const exponent = ((bits >>> 23) & 0xff) - 127;
  // A mantissa that rounds up to 2048 carries into the exponent by itself.
  return sign | (((exponent + 14) << 10) + roundToEven(magnitude * 2 ** (10 - exponent)));
}

/** @returns the value of a half float's bits */
export function fromF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** @returns the bits of the nearest bfloat16, ties to even */
export function toBf16(value: number): number {
  words.setFloat32(0, value);
  const bits = words.getUint32(0);
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** @returns the value of a bfloat16's bits */
export function fromBf16(bits: number): number {
  words.setUint32(0, bits << 16);
  return words.getFloat32(0);
}

/** @returns the nearest integer, ties to even, as WGSL's `round` */
function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

/**
 * Packs a matrix `[O, D]` as the kernel of that format does.
 *
 * @returns the words of each part, in the order of the format's bindings
 */
export function packWeight(
  values: Float32Array,
  D: number,
  format: WeightFormat,
  block = 32,
): Uint32Array[] {
  if (format === "f32") return [new Uint32Array(values.slice().buffer)];
  if (format === "f16") return [new Uint32Array(Uint16Array.from(values, toF16).buffer)];
  if (format === "bf16") return [new Uint32Array(Uint16Array.from(values, toBf16).buffer)];
  return format === "q8" ? packQ8(values, D) : packQ4(values, D, block);
}

/** @returns the bits of the largest bfloat16 that is not above `value` */
function floorBf16(value: number): number {
  words.setFloat32(0, value);
  const bits = words.getUint32(0);
  return (bits + (value < 0 ? 0xffff : 0)) >>> 16;
}

function packQ8(values: Float32Array, D: number): Uint32Array[] {
  const O = values.length / D;
  const rowBlocks = Math.ceil(D / 32);
  const packed = new Uint32Array(O * rowBlocks * 8);
  const blocks = new Uint32Array(O * rowBlocks * 2);
  for (let o = 0; o < O; o++) {
    for (let b = 0; b < rowBlocks; b++) {
      const at = o * rowBlocks + b;
      const weights = values.subarray(o * D + b * 32, o * D + Math.min(b * 32 + 32, D));
      const low = weights.reduce((least, w) => Math.min(least, w), Infinity);
      const high = weights.reduce((most, w) => Math.max(most, w), -Infinity);
      const biasBits = floorBf16(low);
      const bias = fromBf16(biasBits);
      const step = Math.fround(Math.fround(high - bias) * Math.fround(1 / 511));
      const scaleBits = floorBf16(-step) & 0x7fff;
      const scale = fromBf16(scaleBits);
      const inverse = scale >= 2 ** -126 ? Math.fround(1 / scale) : 0;
      weights.forEach((w, i) => {
        const steps = Math.fround(Math.fround(w - bias) * inverse);
        const q = Math.min(roundToEven(steps), 511);
        const word = at * 8 + (i >> 2);
        if (i % 4 < 3) {
          packed[word]! |= q << (9 * (i % 4));
        } else {
          packed[word]! |= (q >> 4) << 27;
          blocks[at * 2]! |= (q & 15) << (i & 28);
        }
      });
      blocks[at * 2 + 1] = scaleBits + biasBits * 2 ** 16;
    }
  }
  return [packed, blocks];
}

function packQ4(values: Float32Array, D: number, block: number): Uint32Array[] {
  const O = values.length / D;
  const rowBlocks = Math.ceil(D / block);
  const rowWords = Math.ceil(D / 32) * 4;
  const codes = new Uint32Array(O * rowWords);
  const affine = new Uint32Array(O * rowBlocks);
  for (let o = 0; o < O; o++) {
    for (let b = 0; b < rowBlocks; b++) {
      const weights = values.subarray(o * D + b * block, o * D + Math.min((b + 1) * block, D));
      const low = weights.reduce((least, w) => Math.min(least, w), Infinity);
      const high = weights.reduce((most, w) => Math.max(most, w), -Infinity);
      const scaleBits = toF16(Math.fround(Math.fround(high - low) * Math.fround(1 / 15)));
      const biasBits = toF16(low);
      affine[o * rowBlocks + b] = scaleBits + biasBits * 2 ** 16;
      const inverse = fromF16(scaleBits) > 0 ? Math.fround(1 / fromF16(scaleBits)) : 0;
      weights.forEach((w, i) => {
        const steps = Math.fround(Math.fround(w - fromF16(biasBits)) * inverse);
        const q = Math.min(Math.max(roundToEven(steps), 0), 15);
        const k = b * block + i;
        codes[o * rowWords + (k >> 3)]! |= q << ((k & 7) * 4);
      });
    }
  }
  return [codes, affine];
}

/**
 * Undoes `packWeight`, up to the format's rounding.
 *
 * @returns `[O, D]`
 */
export function dequantize(
  parts: readonly Uint32Array[],
  [O, D]: readonly [O: number, D: number],
  format: WeightFormat,
  block = 32,
): Float32Array {
  const [first = new Uint32Array(), second = new Uint32Array()] = parts;
  const halves = new Uint16Array(first.buffer, first.byteOffset, first.length * 2);
  if (format === "f32") return new Float32Array(first.slice().buffer);
  if (format === "f16") return Float32Array.from(halves, fromF16);
  if (format === "bf16") return Float32Array.from(halves, fromBf16);
  const values = new Float32Array(O * D);
  const rowWeights = Math.ceil(D / 32) * 32;
  const rowBlocks = Math.ceil(D / block);
  for (let o = 0; o < O; o++) {
    for (let k = 0; k < D; k++) {
      const at = o * rowWeights + k;
      const share = o * rowBlocks + Math.floor(k / block);
      if (format === "q8") {
        const word = first[at >> 2]!;
        const [nibbles, pair] = [second[2 * share]!, second[2 * share + 1]!];
        const fourth = ((word >>> 27) << 4) | ((nibbles >>> (k & 28)) & 15);
        const q = k % 4 === 3 ? fourth : (word >>> (9 * (k % 4))) & 511;
        values[o * D + k] = fromBf16(pair & 0xffff) * q + fromBf16(pair >>> 16);
      } else {
        const q = (first[at >> 3]! >>> ((at & 7) * 4)) & 15;
        const pair = second[share]!;
        values[o * D + k] = fromF16(pair & 0xffff) * q + fromF16(pair >>> 16);
      }
    }
  }
  return values;
}
