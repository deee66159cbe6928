// RMSNorm of one query or key head: x / sqrt(mean(x^2) + EPS) * (weight + OFFSET). The
// kernel declares qkv, H and C.

override EPS: f32;
override OFFSET: f32;  // 1 for checkpoints that store weight - 1

@group(1) @binding(0) var<storage, read> q_norm: array<vec4f>;  // [C/4]
@group(1) @binding(1) var<storage, read> k_norm: array<vec4f>;  // [C/4]

/// 1 / sqrt(mean(x^2) + EPS) of the head whose channels start at qkv[first].
fn head_scale(first: u32) -> f32 {
  // Each of the C/8 lanes of a head sums the whole head. Neighbours read the same words, which costs
  // less than a barrier; and the lanes of a head may be in two workgroups.
  var squares = 0.0;
  for (var i = 0u; i < C / 4u; i++) {
    let v = qkv[first + i];
    squares += dot(v, v);
  }
  return inverseSqrt(squares / f32(C) + EPS);
}

/// The weight of channels 4i .. 4i+3 of a head. The first H heads are queries, the others keys.
fn head_weight(head: u32, i: u32) -> vec4f {
  if (head < H) { return q_norm[i] + OFFSET; }
  return k_norm[i] + OFFSET;
}
