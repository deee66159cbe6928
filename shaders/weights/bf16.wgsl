// Rows of bfloat16, two to a word: the upper halves of 32-bit floats.

@group(1) @binding(0) var<storage, read> w: array<vec2u>;  // [O, D/4] 4 x bf16

/// Rows of the matrix, or of the slice of it that is bound.
fn weight_rows() -> u32 {
  return arrayLength(&w) / (D / 4u);
}

/// Weights o, 4i .. 4i+3.
fn weight4(o: u32, i: u32) -> vec4f {
  let words = w[o * (D / 4u) + i];
  let low = words << vec2u(16u);
  let high = words & vec2u(0xffff0000u);
  return bitcast<vec4f>(vec4u(low.x, high.x, low.y, high.y));
}

/// Weights o, 8i .. 8i+7; what lies beyond the row is undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  return mat2x4f(weight4(o, 2u * i), weight4(o, 2u * i + 1u));
}
