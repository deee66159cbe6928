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

/** @returns the bits of the largest bfloat16 that is not above `value` */
export function floorBf16(value: number): number {
  words.setFloat32(0, value);
  const bits = words.getUint32(0);
  return (bits + (value < 0 ? 0xffff : 0)) >>> 16;
}

/** @returns the value of a bfloat16's bits */
export function fromBf16(bits: number): number {
  words.setUint32(0, bits << 16);
  return words.getFloat32(0);
}

/** @returns the nearest integer, ties to even, as WGSL's `round` */
export function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}
