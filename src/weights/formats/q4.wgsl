// w[o, k] = s[o, k/BLOCK] * q[o, k] + b[o, k/BLOCK], where q has four bits. The lowest bits of a word
// are its first code. The codes of a row are filled up to a multiple of 32.

@group(1) @binding(0) var<storage, read> w: array<u32>;         // [O, 4 * ceil(D/32)] 8 x 4 bits
@group(1) @binding(1) var<storage, read> w_affine: array<u32>;  // [O, ceil(D/BLOCK)] s and b, f16

override BLOCK: u32;  // 32 or 64
override ROW_WORDS: u32 = (D + 31u) / 32u * 4u;
override ROW_BLOCKS: u32 = (D + BLOCK - 1u) / BLOCK;

/// Rows of the bound slice of the matrix.
fn weight_rows() -> u32 {
  return arrayLength(&w) / ROW_WORDS;
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  let word = w[o * ROW_WORDS + i / 2u] >> (i % 2u * 16u);
  let affine = unpack2x16float(w_affine[o * ROW_BLOCKS + i / (BLOCK / 4u)]);
  return affine.x * vec4f((vec4u(word) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u)) + affine.y;
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let word = vec4u(w[o * ROW_WORDS + i]);
  let affine = unpack2x16float(w_affine[o * ROW_BLOCKS + i / (BLOCK / 8u)]);
  return mat2x4f(
    affine.x * vec4f((word >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u)) + affine.y,
    affine.x * vec4f((word >> vec4u(16u, 20u, 24u, 28u)) & vec4u(15u)) + affine.y,
  );
}
