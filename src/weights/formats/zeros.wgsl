@group(1) @binding(2) var<storage, read> w_zero: array<u32>;  // [O, ceil(GROUPS * BITS / 32)] as the codes

override ZERO_WORDS: u32 = (GROUPS * BITS + 31u) / 32u;

/// The code of a weight of 0 in a group of row o.
fn zero_of(o: u32, group: u32) -> i32 {
  let bits = w_zero[o * ZERO_WORDS + group * BITS / 32u] >> (group * BITS % 32u);
  return i32(bits & ((1u << BITS) - 1u));
}
