// Shared by the attention kernels: 4 x 4 blocks of scores, keys and values in registers, and the terms
// of the online softmax. The kernel declares SCALE, keys/*.wgsl the rest.

override SOFTCAP: f32;   // scores become SOFTCAP * tanh(score / SOFTCAP); 0: no cap

const PAGE_TOKENS = 64u;
const MASKED = -1e30;    // the score of a key that a query does not attend to
const NO_MAX = -1e29;    // the largest score before any key; exp2(MASKED - NO_MAX) is 0
const LOG2_E = 1.44269504;

/// Channels 4c .. 4c+3 (down) of four keys (across).
fn key_block(row: u32, head: u32, c: u32) -> mat4x4f {
  return mat4x4f(
    key4(row, head, c),
    key4(row + 1u, head, c),
    key4(row + 2u, head, c),
    key4(row + 3u, head, c),
  );
}

/// Four values (down), channels 4c .. 4c+3 (across).
fn value_block(row: vec4u, head: u32, c: u32) -> mat4x4f {
  return transpose(mat4x4f(
    value4(row.x, head, c),
    value4(row.y, head, c),
    value4(row.z, head, c),
    value4(row.w, head, c),
  ));
}

/// Scores of keys i .. i+3 (across) as exponents of 2; MASKED where a query does not attend to a key.
fn masked(s: mat4x4f, i: u32, first: vec4u, last: vec4u) -> mat4x4f {
  return mat4x4f(
    masked_column(s[0], vec4u(i), first, last),
    masked_column(s[1], vec4u(i + 1u), first, last),
    masked_column(s[2], vec4u(i + 2u), first, last),
    masked_column(s[3], vec4u(i + 3u), first, last),
  );
}

fn masked_column(s: vec4f, i: vec4u, first: vec4u, last: vec4u) -> vec4f {
  return select(vec4f(MASKED), exponents(s), (i >= first) & (i <= last));
}

fn exponents(s: vec4f) -> vec4f {
  if (SOFTCAP == 0.0) { return s * (SCALE * LOG2_E); }
  // On some drivers tanh overflows beyond 44. From 10 on it is 1 in f32.
  return (SOFTCAP * LOG2_E) * tanh(clamp(s * SCALE / SOFTCAP, vec4f(-15), vec4f(15)));
}

fn column_max(s: mat4x4f) -> vec4f { return max(max(s[0], s[1]), max(s[2], s[3])); }

fn exp_minus(s: mat4x4f, m: vec4f) -> mat4x4f {
  return mat4x4f(exp2(s[0] - m), exp2(s[1] - m), exp2(s[2] - m), exp2(s[3] - m));
}

fn scaled(s: mat4x4f, by: vec4f) -> mat4x4f {
  return mat4x4f(s[0] * by, s[1] * by, s[2] * by, s[3] * by);
}
