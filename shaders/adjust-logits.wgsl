// y = logits with the penalties, biases and min_tokens of each sequence applied:
//
//   repeated = logit / repetition, or logit * repetition if negative, for tokens of prompt and answer
//   y        = repeated - frequency * (times generated) - presence * (generated at all) + bias
//   y        = LOWEST for stop tokens, before min_tokens tokens have been generated
//
// The last sampled token is counted here, because the CPU doesn't know it yet when it submits this
// step. One lane per token of the vocabulary, one row of workgroups per sequence.

const LANES = 64u;

struct Penalties {
  frequency: f32,
  presence: f32,
  repetition: f32,
  min_tokens: u32,
}

// A word of the history: how often the token was generated, and two flags.
const TIMES = 0x3fffffffu;
const IS_STOP = 0x40000000u;
const IN_PROMPT = 0x80000000u;

// Above the LOWEST of mask-logits, so that a stop token is sampled if a constraint allows nothing else.
const LOWEST = -1e29;

@group(0) @binding(0) var<storage, read> logits: array<f32>;          // [B, V]
@group(0) @binding(1) var<storage, read> params: array<Sampling>;     // [B]
@group(0) @binding(2) var<storage, read> penalties: array<Penalties>; // [B]
@group(0) @binding(3) var<storage, read> tokens: array<u32>;          // [B], sampled in the step before
@group(0) @binding(4) var<storage, read> bias: array<f32>;            // [B, V]
@group(0) @binding(5) var<storage, read_write> history: array<u32>;   // [B, V]
@group(0) @binding(6) var<storage, read_write> y: array<f32>;         // [B, V]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) at: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let b = at.y;
  let id = at.x;
  let V = arrayLength(&y) / groups.y;
  let s = params[b];
  if (s.row == NOWHERE || id >= V) { return; }
  let p = penalties[b];
  let i = b * V + id;

  var past = history[i];
  if (s.step > 0u && tokens[b] == id) {
    past++;
    history[i] = past;
  }
  let times = past & TIMES;
  var logit = logits[i];
  // A division by 1 may be inexact.
  if (p.repetition != 1.0 && (times > 0u || (past & IN_PROMPT) != 0u)) {
    logit = select(logit * p.repetition, logit / p.repetition, logit > 0.0);
  }
  if (times > 0u) { logit -= p.frequency * f32(times) + p.presence; }
  logit += bias[i];
  if ((past & IS_STOP) != 0u && s.step < p.min_tokens) { logit = LOWEST; }
  y[i] = logit;
}
