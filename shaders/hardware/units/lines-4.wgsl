// Units of codes of 4 bits: 16 bytes. A code stays where it is in its word, and the input is divided
// instead, exactly.

const HAS_LINES = true;
const LOW_FACTORS = vec4f(1.0, 0x1p-4, 0x1p-8, 0x1p-12);
const HIGH_FACTORS = vec4f(0x1p-16, 0x1p-20, 0x1p-24, 0x1p-28);

alias Unit = vec4u;

fn unit_of(o: u32, u: u32) -> Unit { return w[o * (D / 32u) + u]; }

fn eight_of(unit: Unit, o: u32, i: u32) -> mat2x4f {
  let word = vec4u(unit[i % 4u]);
  return mat2x4f(
    vec4f(word & vec4u(0xfu, 0xf0u, 0xf00u, 0xf000u)),
    vec4f(word & vec4u(0xf0000u, 0xf00000u, 0xf000000u, 0xf0000000u)),
  );
}
