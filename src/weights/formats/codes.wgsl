// Rows of codes of BITS bits. A row is one dense stream of bits, whose lowest ones come first.

@group(1) @binding(0) var<storage, read> w: array<u32>;  // [O, ceil(D * BITS / 32)]

override BITS: u32;  // 2, 3, 4, 5, 6 or 8
override ROW_WORDS: u32 = (D * BITS + 31u) / 32u;

/// Rows of the bound slice of the matrix.
fn weight_rows() -> u32 {
  return arrayLength(&w) / ROW_WORDS;
}

/// Codes 4i to 4i + 3 of row o.
fn codes4(o: u32, i: u32) -> vec4u {
  let first = i * 4u * BITS;
  let at = o * ROW_WORDS + first / 32u;
  let shift = first % 32u;
  var bits = w[at] >> shift;
  if (32u % (4u * BITS) != 0u && shift + 4u * BITS > 32u) { bits |= w[at + 1u] << (32u - shift); }
  return (vec4u(bits) >> (vec4u(0u, 1u, 2u, 3u) * BITS)) & vec4u((1u << BITS) - 1u);
}

/// Codes 8i to 8i + 7 of row o.
struct Codes8 { low: vec4u, high: vec4u }

fn codes8(o: u32, i: u32) -> Codes8 {
  if (BITS != 4u) { return Codes8(codes4(o, 2u * i), codes4(o, 2u * i + 1u)); }
  let bits = vec4u(w[o * ROW_WORDS + i]);
  return Codes8(
    (bits >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u),
    (bits >> vec4u(16u, 20u, 24u, 28u)) & vec4u(15u),
  );
}
