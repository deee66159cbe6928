// w[o, k] = w_scale[o, k/32] * q[o, k], q a signed byte. Rows are filled up to whole blocks.

@group(1) @binding(0) var<storage, read> w: array<vec2u>;      // [O, 4 * ceil(D/32)] 8 x int8
@group(1) @binding(1) var<storage, read> w_scale: array<f32>;  // [O, ceil(D/32)]

override ROW_BLOCKS: u32 = (D + 31u) / 32u;

/// Rows of the matrix, or of the slice of it that is bound.
fn weight_rows() -> u32 {
  return arrayLength(&w) / (ROW_BLOCKS * 4u);
}

/// Weights o, 4i .. 4i+3.
fn weight4(o: u32, i: u32) -> vec4f {
  let word = w[o * ROW_BLOCKS * 4u + i / 2u][i % 2u];
  return vec4f(unpack4xI8(word)) * w_scale[o * ROW_BLOCKS + i / 8u];
}

/// Weights o, 8i .. 8i+7; 0 beyond the row.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let words = w[o * ROW_BLOCKS * 4u + i];
  let scale = w_scale[o * ROW_BLOCKS + i / 4u];
  return mat2x4f(vec4f(unpack4xI8(words.x)), vec4f(unpack4xI8(words.y))) * scale;
}
