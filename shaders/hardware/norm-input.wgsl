// RMSNorm of the input. 1 / rms is one factor of a row, so it leaves the dot product:
// W . (x / rms * weight) = (W . (x * weight)) / rms.
const NORMS = true;

@group(4) @binding(0) var<storage, read> norm_weight: array<vec4f>;  // [D/4]

override EPS: f32;
override OFFSET: f32;  // 1 for checkpoints that store weight - 1

/// Inputs 4i .. 4i+3 of a row, times the weight.
fn weighted(v: vec4f, i: u32) -> vec4f { return v * (norm_weight[i] + OFFSET); }

/// 1 / rms of a row, by the sum of its squares.
fn norm_scale(squares: f32) -> f32 { return inverseSqrt(squares / f32(D) + EPS); }
