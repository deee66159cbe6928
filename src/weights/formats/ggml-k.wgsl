// w[o, k] = d * s[k/32] * q[k] - m * t[k/32] within a block of 256 weights, where q has four or five
// bits and s and t six. Its words, as in the file:
//   0         d and m, half floats
//   1 to 3    s and t: bytes 0 to 3 have the low six bits of s[0..4], bytes 4 to 7 those of t[0..4];
//             bytes 8 to 11 the low four bits of s[4..8] and, above them, of t[4..8]. The upper two bits
//             of both are at the top of bytes 0 to 3 and 4 to 7.
//   4 to 11   only with five bits: bit j of byte l is the fifth bit of weight l of sub-block j
//   the rest  byte 32c + l has the low bits of weight l of sub-block 2c and, above them, of 2c + 1

@group(1) @binding(0) var<storage, read> w: array<u32>;  // [O, BLOCK_WORDS * D/256]

override BLOCK_WORDS: u32;  // 36, or 44 with five bits
override ROW_WORDS: u32 = D / 256u * BLOCK_WORDS;
override CODE_WORD: u32 = BLOCK_WORDS - 32u;

/// Rows of the bound slice of the matrix.
fn weight_rows() -> u32 {
  return arrayLength(&w) / ROW_WORDS;
}

/// d * s and m * t of sub-block j of the block whose words begin at `at`.
fn affine_of(at: u32, j: u32) -> vec2f {
  let shift = j % 4u * 8u;
  let first = (vec2u(w[at + 1u], w[at + 2u]) >> vec2u(shift)) & vec2u(255u);
  let last = (w[at + 3u] >> shift) & 255u;
  let later = vec2u(last & 15u, last >> 4u) | ((first >> vec2u(6u)) << vec2u(4u));
  let pair = w[at];
  return vec2f(half(pair), half(pair >> 16u)) * vec2f(select(first & vec2u(63u), later, j > 3u));
}

/// Codes 4i to 4i + 3 of sub-block j.
fn codes(at: u32, j: u32, i: u32) -> vec4f {
  let low = w[at + CODE_WORD + j / 2u * 8u + i] >> (j % 2u * 4u);
  var q = (vec4u(low) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(15u);
  if (CODE_WORD > 4u) {
    let high = w[at + 4u + i] >> j;
    q |= ((vec4u(high) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(1u)) << vec4u(4u);
  }
  return vec4f(q);
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  let at = o * ROW_WORDS + i / 64u * BLOCK_WORDS;
  let j = i % 64u / 8u;
  let affine = affine_of(at, j);
  return affine.x * codes(at, j, i % 8u) - affine.y;
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let at = o * ROW_WORDS + i / 32u * BLOCK_WORDS;
  let j = i % 32u / 4u;
  let first = i % 4u * 2u;
  let affine = affine_of(at, j);
  return mat2x4f(
    affine.x * codes(at, j, first) - affine.y,
    affine.x * codes(at, j, first + 1u) - affine.y,
  );
}
