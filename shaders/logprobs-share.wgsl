// likeliest[b, c] = (key, id) of the counts[b] most likely tokens of the c-th share of the vocabulary,
// in descending order; sums[b, c] = sum of exp(logit - greatest logit) over the share.
// One workgroup per share.

// Few lanes, because a barrier costs a software adapter time per lane.
const LANES = 32u;
override N: u32;  // most tokens of a list

@group(0) @binding(0) var<storage, read> logits: array<f32>;              // [B, V]
@group(0) @binding(1) var<storage, read> counts: array<u32>;              // [B], at most N
@group(0) @binding(2) var<storage, read_write> likeliest: array<vec2u>;   // [B, C, N]
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;          // [B, C]

var<workgroup> found: vec2u;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let b = group.y;
  let V = arrayLength(&logits) / groups.y;
  let share = (V + groups.x - 1u) / groups.x;
  let start = b * V + group.x * share;
  let end = b * V + min((group.x + 1u) * share, V);
  let c = b * groups.x + group.x;

  // The sum needs the greatest logit, even if no token is listed.
  let rounds = clamp(counts[b], 1u, N);
  var last = vec2u(0xffffffffu, 0u);
  var greatest = 0.0;
  for (var round = 0u; round < rounds; round++) {
    var pair = NO_TOKEN;
    for (var i = start + lane; i < end; i += LANES) {
      let next = vec2u(key_of(logits[i]), i - b * V);
      if (next.x < last.x || (next.x == last.x && next.y > last.y)) { pair = better(pair, next); }
    }
    let best = workgroup_best(lane, pair);
    if (lane == 0u) {
      found = best;
      likeliest[c * N + round] = best;
    }
    // The barriers in here let the next round write what this one has read.
    last = workgroupUniformLoad(&found);
    if (round == 0u) { greatest = logit_of(last.x); }
  }

  var sum = 0.0;
  for (var i = start + lane; i < end; i += LANES) {
    sum += exp(logit_of(key_of(logits[i])) - greatest);
  }
  let total = workgroup_sum(lane, sum);
  if (lane == 0u) { sums[c] = total; }
}
