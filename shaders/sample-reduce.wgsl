// partials[b, c] = the greatest logit of the c-th share of the vocabulary, the lowest id that has it, and
// the sum of exp((logit - greatest) / temperature) if top_p needs it. One workgroup per share.

// Few lanes, because a barrier costs a software adapter time per lane.
const LANES = 32u;

@group(0) @binding(0) var<storage, read> logits: array<f32>;               // [B, V]
@group(0) @binding(1) var<storage, read> params: array<Sampling>;          // [B]
@group(0) @binding(2) var<storage, read_write> partials: array<Partial>;   // [B, C]

var<workgroup> chunk_best: vec2u;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let b = group.y;
  let s = params[b];
  if (s.row == NOWHERE) { return; }
  let V = arrayLength(&logits) / groups.y;
  let share = (V + groups.x - 1u) / groups.x;
  let start = b * V + group.x * share;
  let end = b * V + min((group.x + 1u) * share, V);

  var pair = NO_TOKEN;
  for (var i = start + lane; i < end; i += LANES) {
    pair = better(pair, vec2u(key_of(logits[i]), i - b * V));
  }
  let best = workgroup_best(lane, pair);
  if (lane == 0u) { chunk_best = best; }

  var total = 0.0;
  if (s.temperature > 0.0 && s.top_p < 1.0) {
    let greatest = logit_of(workgroupUniformLoad(&chunk_best).x);
    var sum = 0.0;
    for (var i = start + lane; i < end; i += LANES) {
      sum += exp((logit_of(key_of(logits[i])) - greatest) / s.temperature);
    }
    total = workgroup_sum(lane, sum);
  }
  if (lane == 0u) { partials[b * groups.x + group.x] = Partial(best.x, best.y, total); }
}
