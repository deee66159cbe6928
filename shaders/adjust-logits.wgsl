// y = logits with the penalties, the bias and the least length of one answer applied:
//
//   repeated = logit / repetition, or logit * repetition where it is negative, if the token was seen
//   y        = repeated - frequency * (times generated) - presence * (ever generated) + bias
//   y        = -1e29 (as good as never), for tokens that end the answer before it has min_tokens
//
// The token drawn in the step before is counted here, since the next step is submitted before
// anyone else knows it. One lane a token of the vocabulary, one row of workgroups a sequence.

const LANES = 64u;

struct Penalties {
  frequency: f32,
  presence: f32,
  repetition: f32,
  min_tokens: u32,
}

// A word of the history: how often the token was generated, and below two marks.
const TIMES = 0x3fffffffu;
const ENDS_ANSWER = 0x40000000u;
const IN_PROMPT = 0x80000000u;

// Not as low as mask-logits goes: a stop token that is all a constraint allows is still drawn.
const LOWEST = -1e29;

@group(0) @binding(0) var<storage, read> logits: array<f32>;          // [B, V]
@group(0) @binding(1) var<storage, read> params: array<Sampling>;     // [B]
@group(0) @binding(2) var<storage, read> penalties: array<Penalties>; // [B]
@group(0) @binding(3) var<storage, read> tokens: array<u32>;          // [B], of the step before
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
  if (times > 0u || (past & IN_PROMPT) != 0u) {
    logit = select(logit * p.repetition, logit / p.repetition, logit > 0.0);
  }
  if (times > 0u) { logit -= p.frequency * f32(times) + p.presence; }
  logit += bias[i];
  if ((past & ENDS_ANSWER) != 0u && s.step < p.min_tokens) { logit = LOWEST; }
  y[i] = logit;
}
