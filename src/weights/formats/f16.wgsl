// Rows of IEEE half floats, two to a word. An integer built-in unpacks them, so that the device need
// not have shader-f16.

@group(1) @binding(0) var<storage, read> w: array<vec2u>;  // [O, D/4] 4 x f16

/// Rows of the bound slice of the matrix.
fn weight_rows() -> u32 {
  return arrayLength(&w) / (D / 4u);
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  let words = w[o * (D / 4u) + i];
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  return mat2x4f(weight4(o, 2u * i), weight4(o, 2u * i + 1u));
}
