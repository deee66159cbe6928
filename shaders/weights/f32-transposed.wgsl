// Columns of 32-bit floats: W^T, row by row.

override O: u32;  // output width

@group(1) @binding(0) var<storage, read> w: array<f32>;  // [D, O]

fn weight_rows() -> u32 {
  return O;
}

/// Weights o, 4i .. 4i+3.
fn weight4(o: u32, i: u32) -> vec4f {
  let at = 4u * i * O + o;
  return vec4f(w[at], w[at + O], w[at + 2u * O], w[at + 3u * O]);
}

/// Weights o, 8i .. 8i+7; what lies beyond the row is undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  return mat2x4f(weight4(o, 2u * i), weight4(o, 2u * i + 1u));
}
