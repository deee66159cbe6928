// Rows of 32-bit floats.

@group(1) @binding(0) var<storage, read> w: array<vec4f>;  // [O, D/4]

/// Rows of the matrix, or of the slice of it that is bound.
fn weight_rows() -> u32 {
  return arrayLength(&w) / (D / 4u);
}

/// Weights o, 4i .. 4i+3.
fn weight4(o: u32, i: u32) -> vec4f {
  return w[o * (D / 4u) + i];
}

/// Weights o, 8i .. 8i+7; what lies beyond the row is undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let at = o * (D / 4u) + 2u * i;
  return mat2x4f(w[at], w[at + 1u]);
}
