// w[o, k] = s[o, k/BLOCK] * e4m3(code[o, k]), four codes to a word, the lowest byte first. A code is a
// sign, four bits of exponent with bias 7, and three of mantissa.

@group(1) @binding(0) var<storage, read> w: array<u32>;        // [O, D/4] 4 x e4m3
@group(1) @binding(1) var<storage, read> w_scale: array<f32>;  // [O, ceil(D/BLOCK)]

override BLOCK: u32;  // a multiple of 8
override ROW_BLOCKS: u32 = (D + BLOCK - 1u) / BLOCK;

/// Rows of the bound slice of the matrix.
fn weight_rows() -> u32 {
  return arrayLength(&w) / (D / 4u);
}

/// The values of four codes. The largest code of each sign is no number.
fn e4m3(word: u32) -> vec4f {
  let codes = (vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(0xffu);
  let magnitudes = codes & vec4u(0x7fu);
  // The exponent's bias becomes 127. Codes without exponent are multiples of 2^-9.
  let normal = bitcast<vec4f>((magnitudes << vec4u(20u)) + vec4u(120u << 23u));
  let numbers = select(normal, vec4f(magnitudes) * 0x1p-9, magnitudes < vec4u(8u));
  // A constant NaN is an error, and arithmetic on bits that may be one is not.
  let values = select(numbers, bitcast<vec4f>((magnitudes << vec4u(20u)) | vec4u(0x7f800000u)), magnitudes == vec4u(0x7fu));
  return select(values, -values, codes >= vec4u(0x80u));
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  return w_scale[o * ROW_BLOCKS + i / (BLOCK / 4u)] * e4m3(w[o * (D / 4u) + i]);
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let scale = w_scale[o * ROW_BLOCKS + i / (BLOCK / 8u)];
  let at = o * (D / 4u) + 2u * i;
  return mat2x4f(scale * e4m3(w[at]), scale * e4m3(w[at + 1u]));
}
