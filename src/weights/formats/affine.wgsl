// w[o, k] = s[o, k/GROUP] * q[o, k] + b[o, k/GROUP], linked with codes.wgsl.

@group(1) @binding(1) var<storage, read> w_affine: array<u32>;  // [O, ceil(D/GROUP)] s and b

override GROUP: u32;    // a multiple of 32
override IS_F16: bool;  // else s and b are bfloat16
override GROUPS: u32 = (D + GROUP - 1u) / GROUP;

/// s and b of a group of row o.
fn affine(o: u32, group: u32) -> vec2f {
  let pair = w_affine[o * GROUPS + group];
  if (IS_F16) { return unpack2x16float(pair); }
  return bitcast<vec2f>(vec2u(pair << 16u, pair & 0xffff0000u));
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  let pair = affine(o, i / (GROUP / 4u));
  return pair.x * vec4f(codes4(o, i)) + pair.y;
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let pair = affine(o, i / (GROUP / 8u));
  let codes = codes8(o, i);
  return mat2x4f(pair.x * vec4f(codes.low) + pair.y, pair.x * vec4f(codes.high) + pair.y);
}
