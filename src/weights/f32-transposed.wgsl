// W^T in 32-bit floats, row by row.

override O: u32;  // rows of W

@group(1) @binding(0) var<storage, read> w: array<f32>;  // [D, O]

/// Rows of the matrix.
fn weight_rows() -> u32 {
  return O;
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  let at = 4u * i * O + o;
  return vec4f(w[at], w[at + O], w[at + 2u * O], w[at + 3u * O]);
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  return mat2x4f(weight4(o, 2u * i), weight4(o, 2u * i + 1u));
}
