// Shared by the sampling kernels: the settings of a sequence, the order of logits, the score of a token.
// Needs lib/random.wgsl.

struct Sampling {
  temperature: f32,  // 0: greedy
  top_k: u32,        // 0: all
  top_p: f32,        // 1: all
  log_min_p: f32,    // ln(min_p); -1e30: all
  seed: vec2u,
  step: u32,         // tokens sampled so far
  row: u32,          // the row that receives the token; NOWHERE: an idle slot
  sequence: u32,
  position: u32,     // position of the next token
  rope_offset: i32,  // RoPE position minus position
  window: u32,       // keys that a row attends to in sliding-window layers; 0: all
  cross_first: u32,  // rows attend to cross-attention keys cross_first ..= cross_last
  cross_last: u32,
}

/// The result of one workgroup for its share of the vocabulary.
struct Partial {
  key: u32,  // key of the greatest logit
  id: u32,   // lowest id with that logit
  sum: f32,  // sum of exp((logit - greatest) / temperature); 0 without top_p
}

/// Bounds over all logits of a sequence, before any token is left out.
struct Bounds {
  greatest: f32,
  sum: f32,    // sum of exp((logit - greatest) / temperature); 0 without top_p
  floor: u32,  // tokens with a lower key are certain to be cut by top_k or top_p
  least: u32,  // lowest key that min_p keeps
}

/// Bits of 1e30. Logits are clamped to it, so that their differences and quotients are finite.
const GREATEST_BITS = 0x7149f2cau;

/// Maps logits to integers of the same order. -0 is 0, and NaN and -inf are the lowest. It works on bits,
/// because WGSL may compile comparisons as if NaN and infinity didn't exist.
fn key_of(logit: f32) -> u32 {
  let bits = bitcast<u32>(logit);
  let magnitude = bits & 0x7fffffffu;
  let low = (bits >> 31u) == 1u || magnitude > 0x7f800000u;
  let clamped = min(magnitude, GREATEST_BITS);
  return select(0x80000000u + clamped, 0x80000000u - clamped, low);
}

/// The logit of a key.
fn logit_of(key: u32) -> f32 {
  let negative = (0x80000000u - key) | 0x80000000u;
  return bitcast<f32>(select(negative, key - 0x80000000u, key >= 0x80000000u));
}

/// Whether top_k or top_p cuts the candidates.
fn has_cut(s: Sampling) -> bool {
  return s.top_k > 0u || s.top_p < 1.0;
}

/// The key of logit / temperature + Gumbel noise. A token has the greatest score with the probability that
/// softmax(logits / temperature) gives it. At temperature 0 there is no noise.
fn score(s: Sampling, greatest: f32, logit: f32, id: u32) -> u32 {
  if (s.temperature == 0.0) { return key_of(logit); }
  let noise = -log(exponential(pcg4d(vec4u(id, s.step, s.seed)).x));
  return key_of((logit - greatest) / s.temperature + noise);
}
