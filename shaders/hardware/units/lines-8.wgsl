// Units of codes of 8 bits: twice 16 bytes. A code stays where it is in its word, and the input is
// divided instead, exactly.

const HAS_LINES = true;
const LOW_FACTORS = vec4f(1.0, 0x1p-8, 0x1p-16, 0x1p-24);
const HIGH_FACTORS = LOW_FACTORS;

struct Unit { low: vec4u, high: vec4u }

fn unit_of(o: u32, u: u32) -> Unit {
  let at = o * (D / 16u) + 2u * u;
  return Unit(w[at], w[at + 1u]);
}

fn eight_of(unit: Unit, o: u32, i: u32) -> mat2x4f {
  let half = select(unit.low, unit.high, i % 4u > 1u);
  let words = select(half.xy, half.zw, i % 2u == 1u);
  let masks = vec4u(0xffu, 0xff00u, 0xff0000u, 0xff000000u);
  return mat2x4f(vec4f(vec4u(words.x) & masks), vec4f(vec4u(words.y) & masks));
}
