// w[o, k] = s[o, k/32] * q[o, k] + b[o, k/32], where q has nine bits. Code word j of a block holds, from
// its lowest bit up, codes 4j, 4j + 1, 4j + 2 and the upper five bits of code 4j + 3. The lower four bits
// of code 4j + 3 are nibble j of the block's nibble word. A row is filled up to whole blocks.

@group(1) @binding(0) var<storage, read> w: array<vec2u>;        // [O, 4 * ceil(D/32)] 2 code words
@group(1) @binding(1) var<storage, read> w_block: array<vec2u>;  // [O, ceil(D/32)] nibble word; s, b in bf16

override ROW_BLOCKS: u32 = (D + 31u) / 32u;

/// Rows of the bound slice of the matrix.
fn weight_rows() -> u32 {
  return arrayLength(&w) / (ROW_BLOCKS * 4u);
}

/// s and b of a block. `scale` is s divided by the value of each code's lowest bit in the word, so that
/// the codes need no shift.
struct Affine { scale: vec4f, bias: f32 }

fn affine_of(block: vec2u) -> Affine {
  let scale = bitcast<f32>(block.y << 16u) * vec4f(1.0, 1.0 / 512.0, 1.0 / 262144.0, 1.0);
  return Affine(scale, bitcast<f32>(block.y & 0xffff0000u));
}

/// The four weights of a code word and a nibble.
fn dequantize4(word: u32, nibble: u32, affine: Affine) -> vec4f {
  let fourth = ((word >> 23u) & 0x1f0u) | (nibble & 15u);
  let q = vec4u(word & 0x1ffu, word & 0x3fe00u, word & 0x7fc0000u, fourth);
  return vec4f(q) * affine.scale + affine.bias;
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  let word = w[o * ROW_BLOCKS * 4u + i / 2u][i % 2u];
  let block = w_block[o * ROW_BLOCKS + i / 8u];
  return dequantize4(word, block.x >> (i % 8u * 4u), affine_of(block));
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let words = w[o * ROW_BLOCKS * 4u + i];
  let block = w_block[o * ROW_BLOCKS + i / 4u];
  let nibbles = block.x >> (i % 4u * 8u);
  let affine = affine_of(block);
  return mat2x4f(
    dequantize4(words.x, nibbles, affine),
    dequantize4(words.y, nibbles >> 4u, affine),
  );
}
