// w[o, k] = d * s[k/16] * (q[k] - 32) within a block of 256 weights, where q has six bits and s is a
// signed byte. A half of 128 weights is four runs of 32. Its words, as in the file:
//   0 to 31   byte 64h + 32(r % 2) + l has the low four bits of weight l of run r of half h, those of runs
//             2 and 3 above those of runs 0 and 1
//   32 to 47  byte 32h + l has the upper two bits of weight l of the half's runs, the first the lowest
//   48 to 51  the bytes s

@group(1) @binding(0) var<storage, read> w: array<u32>;  // [O, 52 * D/256]

const BLOCK_WORDS = 52u;
override ROW_BLOCKS: u32 = D / 256u;

/// Rows of the bound slice of the matrix.
fn weight_rows() -> u32 {
  return arrayLength(&w) / (ROW_BLOCKS * BLOCK_WORDS);
}

/// d * s of the 16 weights that group i of four is one of, in a block whose words begin at `at`.
fn scale16(o: u32, block: u32, at: u32, i: u32) -> f32 {
  let scales = w[at + 48u + i / 16u];
  return scale_of(o, block) * f32(bitcast<i32>(scales << (24u - i / 4u % 4u * 8u)) >> 24u);
}

/// Codes 4i to 4i + 3 of a block, less 32.
fn codes(at: u32, i: u32) -> vec4f {
  let half_block = i / 32u;
  let run = i / 8u % 4u;
  let low = w[at + half_block * 16u + run % 2u * 8u + i % 8u] >> (run / 2u * 4u);
  let high = w[at + 32u + half_block * 8u + i % 8u] >> (run * 2u);
  let bytes = vec4u(0u, 8u, 16u, 24u);
  let q = ((vec4u(low) >> bytes) & vec4u(15u)) | (((vec4u(high) >> bytes) & vec4u(3u)) << vec4u(4u));
  return vec4f(q) - 32.0;
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  let block = i / 64u;
  let at = (o * ROW_BLOCKS + block) * BLOCK_WORDS;
  return scale16(o, block, at, i % 64u) * codes(at, i % 64u);
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let block = i / 32u;
  let at = (o * ROW_BLOCKS + block) * BLOCK_WORDS;
  let first = i % 32u * 2u;
  let scale = scale16(o, block, at, first);
  return mat2x4f(scale * codes(at, first), scale * codes(at, first + 1u));
}
