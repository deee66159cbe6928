// w[o, k] = s[o, k/32] * q[o, k], where q is a signed byte.

@group(1) @binding(0) var<storage, read> w: array<u32>;  // [O, D/4] 4 x i8

override ROW_BLOCKS: u32 = D / 32u;

/// Rows of the bound slice of the matrix.
fn weight_rows() -> u32 {
  return arrayLength(&w) / (D / 4u);
}

/// The four signed bytes of a word.
fn signed_bytes(word: u32) -> vec4f {
  return vec4f(bitcast<vec4i>(vec4u(word) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u));
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  return scale_of(o, i / 8u) * signed_bytes(w[o * (D / 4u) + i]);
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let scale = scale_of(o, i / 4u);
  let at = o * (D / 4u) + 2u * i;
  return mat2x4f(scale * signed_bytes(w[at]), scale * signed_bytes(w[at + 1u]));
}
