// w[o, k] = s[o, k/GROUP] * (q[o, k] - z[o, k/GROUP]), linked with codes.wgsl, and with zero.wgsl or
// zeros.wgsl. s is a 16-bit float as the checkpoint stores it, so nothing is rounded.

@group(1) @binding(1) var<storage, read> w_scale: array<u32>;  // [O, ceil(GROUPS / 2)] 2 x s

override GROUP: u32;    // a multiple of 8
override IS_F16: bool;  // else bfloat16
override GROUPS: u32 = (D + GROUP - 1u) / GROUP;

/// s of a group of row o.
fn scale_of(o: u32, group: u32) -> f32 {
  let bits = w_scale[o * ((GROUPS + 1u) / 2u) + group / 2u] >> (group % 2u * 16u);
  if (IS_F16) { return unpack2x16float(bits).x; }
  return bitcast<f32>(bits << 16u);
}

/// Weights 4i to 4i + 3 of row o.
fn weight4(o: u32, i: u32) -> vec4f {
  let group = i / (GROUP / 4u);
  return scale_of(o, group) * vec4f(vec4i(codes4(o, i)) - zero_of(o, group));
}

/// Weights 8i to 8i + 7 of row o. Weights beyond the row are undefined.
fn weight8(o: u32, i: u32) -> mat2x4f {
  let group = i / (GROUP / 8u);
  let scale = scale_of(o, group);
  let zero = zero_of(o, group);
  let codes = codes8(o, i);
  return mat2x4f(
    scale * vec4f(vec4i(codes.low) - zero),
    scale * vec4f(vec4i(codes.high) - zero),
  );
}
