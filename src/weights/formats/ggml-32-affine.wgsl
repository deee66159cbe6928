/// s and b of a block of row o: two half floats in its first word.
fn affine_of(o: u32, block: u32) -> vec2f {
  let pair = w[(o * ROW_BLOCKS + block) * BLOCK_WORDS];
  return vec2f(half(pair), half(pair >> 16u));
}
