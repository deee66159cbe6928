// Rows of IEEE half floats, two to a word, unpacked by an integer built-in: needs no shader-f16.

@group(1) @binding(0) var<storage, read> w: array<vec2u>;  // [O, D/4] 4 x f16

/// Rows of the matrix, or of the slice of it that is bound.
fn weight_rows() -> u32 {
  return arrayLength(&w) / (D / 4u);
}

/// Weights o, 4i .. 4i+3.
fn weight4(o: u32, i: u32) -> vec4f {
  let words = w[o * (D / 4u) + i];
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}

/// Weights o, 8i .. 8i+7; what lies beyond the row is undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  return mat2x4f(weight4(o, 2u * i), weight4(o, 2u * i + 1u));
}
