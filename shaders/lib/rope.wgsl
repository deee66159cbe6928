// Rotary position embedding (arXiv 2104.09864) of four channel pairs (c, c + C/2):
//
//   angle[c] = rope[axes[c]] * inverse_frequencies[c]                      for c < C/2
//   y[c]       = x[c] cos(angle[c]) - x[c + C/2] sin(angle[c])
//   y[c + C/2] = x[c + C/2] cos(angle[c]) + x[c] sin(angle[c])
//
// The kernel declares inverse_frequencies and axes. Needs lib/sin-cos.wgsl.

/// Channels c .. c+3 of the two halves of a head.
struct Pairs {
  a: vec4f,
  b: vec4f,
}

/// Pairs 4c .. 4c+3 of a head, rotated by the RoPE position of their row.
fn rotated(x: Pairs, rope: vec3u, c: u32) -> Pairs {
  let axis = axes[c];
  let position = vec4f(vec4u(rope[axis.x], rope[axis.y], rope[axis.z], rope[axis.w]));
  let angle = sin_cos(position * inverse_frequencies[c]);
  return Pairs(x.a * angle.cos - x.b * angle.sin, x.b * angle.cos + x.a * angle.sin);
}
