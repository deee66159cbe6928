// Rows of codes, whose units' weights are s q + b: sum x (s q + b) = s sum x q + b sum x. The layout is that
// of codes.wgsl and affine.wgsl, read 16 bytes at a time. Rows are whole units.

@group(1) @binding(0) var<storage, read> w: array<vec4u>;       // [O, D * BITS / 128]
@group(1) @binding(1) var<storage, read> w_lines: array<u32>;   // [O, ceil(D/GROUP)] s and b

override BITS: u32;     // 4 or 8
override GROUP: u32;    // a multiple of 32
override IS_F16: bool;  // else s and b are bfloat16

fn weight_rows() -> u32 { return arrayLength(&w) / (D * BITS / 128u); }

fn line_of(o: u32, u: u32) -> vec2f {
  let pair = w_lines[o * ((D + GROUP - 1u) / GROUP) + u * 32u / GROUP];
  if (IS_F16) { return unpack2x16float(pair); }
  return bitcast<vec2f>(vec2u(pair << 16u, pair & 0xffff0000u));
}
