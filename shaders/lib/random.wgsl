// Counter-based random numbers. They are computed in integers up to the last step, so that a seed gives
// the same numbers on every GPU. They have no state, so a number does not depend on earlier ones.

/// pcg4d (Jarzynski and Olano, "Hash Functions for GPU Rendering", 2020): four words, each of which is a
/// hash of all four words of `counter`.
fn pcg4d(counter: vec4u) -> vec4u {
  var v = counter * 1664525u + 1013904223u;
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  v ^= v >> vec4u(16u);
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  return v;
}

/// -ln(u) for u = (bits | 1) / 2^32, exponentially distributed with mean 1.
///
/// WGSL's log is off by up to 2^-21 near 1, and the smallest results, which decide the sampled token, are
/// logarithms of u near 1. So u is split exactly into (1 - x) / 2^shift, x in (0, 1/2], and
/// -ln(1 - x) = 2 atanh(x / (2 - x)) by its series, which keeps small x to full relative precision.
fn exponential(bits: u32) -> f32 {
  let odd = bits | 1u;
  let shift = countLeadingZeros(odd);
  let x = f32(0u - (odd << shift)) * 0x1p-32f;
  let s = x / (2.0 - x);
  let q = s * s;
  let series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0
    + q * (1.0 / 11.0 + q / 13.0)))));
  return f32(shift) * 0.69314718 + 2.0 * s * series;
}
