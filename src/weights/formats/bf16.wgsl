// Rows of bfloat16, the upper halves of 32-bit floats, two to a word.

@group(1) @binding(0) var<storage, read> w: array<vec2u>;  // [O, D/4] 4 x bf16

/// Rows of the bound slice of the matrix.
fn weight_rows() -> u32 {
  return arrayLength(&w) / (D / 4u);
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  let words = w[o * (D / 4u) + i];
  let low = words << vec2u(16u);
  let high = words & vec2u(0xffff0000u);
  return bitcast<vec4f>(vec4u(low.x, high.x, low.y, high.y));
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  return mat2x4f(weight4(o, 2u * i), weight4(o, 2u * i + 1u));
}
