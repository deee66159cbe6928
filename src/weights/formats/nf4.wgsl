// w[i] = table[code[i]] * absmax[i/BLOCK], where i counts the weights of the whole matrix row by row. The
// upper half of a byte is its first code. With double quantization absmax[j] is itself
// nested_table[a[j]] * nested_absmax[j/256] + offset, where a[j] has eight bits.

@group(1) @binding(0) var<storage, read> w: array<u32>;           // [O * D / 8] 8 x 4 bits
@group(1) @binding(1) var<storage, read> w_absmax: array<u32>;    // [O * D / BLOCK], f32 or 4 x 8 bits
@group(1) @binding(2) var<storage, read> w_tables: array<f32>;    // table 16; nested_table 256, offset 1,
                                                                  // nested_absmax

override BLOCK: u32;       // a multiple of 8
override IS_NESTED: bool;  // whether there is double quantization

/// Rows of the matrix.
fn weight_rows() -> u32 {
  return arrayLength(&w) * 8u / D;
}

/// The scale of weight i of the matrix.
fn absmax_of(i: u32) -> f32 {
  let block = i / BLOCK;
  if (!IS_NESTED) { return bitcast<f32>(w_absmax[block]); }
  let a = (w_absmax[block / 4u] >> (block % 4u * 8u)) & 0xffu;
  return w_tables[16u + a] * w_tables[273u + block / 256u] + w_tables[272u];
}

/// The values of the four codes from weight i of the matrix on.
fn values_of(i: u32) -> vec4f {
  let codes = (vec4u(w[i / 8u] >> (i % 8u * 4u)) >> vec4u(4u, 0u, 12u, 8u)) & vec4u(15u);
  return vec4f(w_tables[codes.x], w_tables[codes.y], w_tables[codes.z], w_tables[codes.w]);
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  let at = o * D + 4u * i;
  return values_of(at) * absmax_of(at);
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let at = o * D + 8u * i;
  let absmax = absmax_of(at);
  // Where rows are no multiple of 8, eight weights may be of two blocks.
  if (D % 8u != 0u) { return mat2x4f(values_of(at) * absmax, weight4(o, 2u * i + 1u)); }
  return mat2x4f(values_of(at) * absmax, values_of(at + 4u) * absmax);
}
