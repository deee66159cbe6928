// logprobs[b] = log(softmax(logits[b])) of the sampled token, then (id, logprob) of the counts[b] most
// likely tokens in descending order; equally likely ones by ascending id. Merges the sorted lists of
// logprobs-share. One workgroup per sequence, one lane per share.

const LANES = 128u;  // at least C
override N: u32;  // most tokens of a list

@group(0) @binding(0) var<storage, read> logits: array<f32>;            // [B, V]
@group(0) @binding(1) var<storage, read> counts: array<u32>;            // [B], at most N
@group(0) @binding(2) var<storage, read> likeliest: array<vec2u>;       // [B, C, N]
@group(0) @binding(3) var<storage, read> sums: array<f32>;              // [B, C]
@group(0) @binding(4) var<storage, read> tokens: array<u32>;            // [B]
@group(0) @binding(5) var<storage, read_write> logprobs: array<u32>;    // [B, 1 + 2 N]

var<workgroup> found: vec2u;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let b = group.x;
  let V = arrayLength(&logits) / groups.x;
  let C = arrayLength(&sums) / groups.x;
  let list = (b * C + min(lane, C - 1u)) * N;
  let out = b * (1u + 2u * N);

  var first = NO_TOKEN;
  if (lane < C) { first = likeliest[list]; }
  let best = workgroup_best(lane, first);
  if (lane == 0u) { found = best; }
  let greatest = logit_of(workgroupUniformLoad(&found).x);
  var sum = 0.0;
  if (lane < C) { sum = sums[b * C + lane] * exp(logit_of(first.x) - greatest); }
  let log_total = log(workgroup_sum(lane, sum));

  if (lane == 0u) {
    let own = logit_of(key_of(logits[b * V + tokens[b]]));
    logprobs[out] = bitcast<u32>(own - greatest - log_total);
  }
  var taken = 0u;
  for (var i = 0u; i < N; i++) {
    var pair = NO_TOKEN;
    if (i < counts[b]) {
      if (lane < C) { pair = likeliest[list + taken]; }
      let next = workgroup_best(lane, pair);
      if (lane == 0u) { found = next; }
      let chosen = workgroupUniformLoad(&found);
      taken += u32(all(chosen == pair));
      pair = chosen;
    }
    if (lane == 0u) {
      logprobs[out + 1u + 2u * i] = pair.y;
      logprobs[out + 2u + 2u * i] = bitcast<u32>(logit_of(pair.x) - greatest - log_total);
    }
  }
}
