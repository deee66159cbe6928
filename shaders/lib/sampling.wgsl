// What the sampling kernels share: the settings of a sequence, the order of logits, the score of a
// token. Needs lib/random.wgsl.

struct Sampling {
  temperature: f32,  // 0: greedy
  top_k: u32,        // 0: all
  top_p: f32,        // 1: all
  log_min_p: f32,    // ln(min_p); -1e30: all
  seed: vec2u,
  step: u32,         // tokens drawn so far
  row: u32,          // the row that receives the token; NOWHERE: an idle slot
  sequence: u32,
  position: u32,     // that the next token will have
  rope_offset: i32,  // its rotary position minus its position
  window: u32,       // keys that sliding-window layers see; 0: all
  cross_first: u32,  // the cross-attention keys that its rows see: cross_first ..= cross_last; none if first > last
  cross_last: u32,
}

/// What one workgroup finds in its share of the vocabulary.
struct Partial {
  key: u32,  // of the greatest logit
  id: u32,   // the lowest that has it
  sum: f32,  // of exp((logit - greatest) / temperature); 0 where no top_p asks for it
}

/// What is known of all logits of a sequence before any token is left out.
struct Bounds {
  greatest: f32,
  sum: f32,    // of exp((logit - greatest) / temperature); 0 where no top_p asks for it
  floor: u32,  // key below which top_k and top_p need not look
  least: u32,  // key of the lowest logit that min_p allows
}

/// Bits of 1e30: logits are held within it, so that differences and quotients of them are finite.
const GREATEST_BITS = 0x7149f2cau;

/// Maps logits to integers of the same order: -0 is 0, NaN and -inf are the lowest of all.
/// Done on bits, because WGSL may compile comparisons as though there were no NaN and no infinity.
fn key_of(logit: f32) -> u32 {
  let bits = bitcast<u32>(logit);
  let magnitude = bits & 0x7fffffffu;
  let low = (bits >> 31u) == 1u || magnitude > 0x7f800000u;
  let held = min(magnitude, GREATEST_BITS);
  return select(0x80000000u + held, 0x80000000u - held, low);
}

/// The logit of a key.
fn logit_of(key: u32) -> f32 {
  let negative = (0x80000000u - key) | 0x80000000u;
  return bitcast<f32>(select(negative, key - 0x80000000u, key >= 0x80000000u));
}

/// Whether the threshold depends on how many tokens, or how much probability, lie above it.
fn has_cut(s: Sampling) -> bool {
  return s.top_k > 0u || s.top_p < 1.0;
}

/// Key of logit / temperature + Gumbel noise: the token with the greatest is drawn with the
/// probability that softmax(logits / temperature) gives it. Without noise at temperature 0.
fn score(s: Sampling, greatest: f32, logit: f32, id: u32) -> u32 {
  if (s.temperature == 0.0) { return key_of(logit); }
  let noise = -log(exponential(pcg4d(vec4u(id, s.step, s.seed)).x));
  return key_of((logit - greatest) / s.temperature + noise);
}
