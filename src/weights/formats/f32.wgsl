// Rows of 32-bit floats.

@group(1) @binding(0) var<storage, read> w: array<vec4f>;  // [O, D/4]

/// Rows of the bound slice of the matrix.
fn weight_rows() -> u32 {
  return arrayLength(&w) / (D / 4u);
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  return w[o * (D / 4u) + i];
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let at = o * (D / 4u) + 2u * i;
  return mat2x4f(w[at], w[at + 1u]);
}
