// w[o, k] = s[o, k/32] * (q[o, k] - ZERO) + b[o, k/32], where q has four or five bits. Byte j of a
// block's four code words holds the lower bits of code j, and above them those of code j + 16. Bit j of
// one more word is the fifth bit of code j.

@group(1) @binding(0) var<storage, read> w: array<u32>;  // [O, BLOCK_WORDS * D/32]

override BLOCK_WORDS: u32;         // words of a block: its s and b if they are here, fifth bits, code words
override HIGH_WORD: u32;           // place of the word of fifth bits; at least BLOCK_WORDS where there is none
override CODE_WORD: u32;           // place of the first code word
override ZERO: f32;
override ROW_BLOCKS: u32 = D / 32u;

/// Rows of the bound slice of the matrix.
fn weight_rows() -> u32 {
  return arrayLength(&w) / (ROW_BLOCKS * BLOCK_WORDS);
}

/// Codes 4i to 4i + 3 of the block whose words begin at `at`.
fn codes(at: u32, i: u32) -> vec4f {
  let low = w[at + CODE_WORD + i % 4u] >> (i / 4u * 4u);
  var q = (vec4u(low) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(15u);
  if (HIGH_WORD < BLOCK_WORDS) {
    let high = w[at + HIGH_WORD] >> (4u * i);
    q |= ((vec4u(high) >> vec4u(0u, 1u, 2u, 3u)) & vec4u(1u)) << vec4u(4u);
  }
  return vec4f(q) - ZERO;
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  let block = i / 8u;
  let affine = affine_of(o, block);
  return affine.x * codes((o * ROW_BLOCKS + block) * BLOCK_WORDS, i % 8u) + affine.y;
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let block = i / 4u;
  let affine = affine_of(o, block);
  let at = (o * ROW_BLOCKS + block) * BLOCK_WORDS;
  let first = i % 4u * 2u;
  return mat2x4f(
    affine.x * codes(at, first) + affine.y,
    affine.x * codes(at, first + 1u) + affine.y,
  );
}
