@group(1) @binding(1) var<storage, read> w_scales: array<u32>;  // [O, ceil(ROW_BLOCKS / 2)] 2 x f16

override SCALE_WORDS: u32 = (ROW_BLOCKS + 1u) / 2u;

/// The scale of a block of row o.
fn scale_of(o: u32, block: u32) -> f32 {
  return half(w_scales[o * SCALE_WORDS + block / 2u] >> (block % 2u * 16u));
}
