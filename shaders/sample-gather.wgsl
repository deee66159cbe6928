// candidates[b, 0 ..< counts[b]] = (key, id) of the tokens that may be sampled, in any order.
//
// With top_k or top_p: all tokens that reach the floor. Without them the floor alone decides, so each
// share of the vocabulary contributes only its token with the best score. One workgroup per share.

// Few lanes, because a barrier costs a software adapter time per lane.
const LANES = 32u;

@group(0) @binding(0) var<storage, read> logits: array<f32>;                  // [B, V]
@group(0) @binding(1) var<storage, read> params: array<Sampling>;             // [B]
@group(0) @binding(2) var<storage, read> bounds: array<Bounds>;               // [B]
@group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>>;    // [B]
@group(0) @binding(4) var<storage, read_write> candidates: array<vec2u>;      // [B, V]

var<workgroup> found: atomic<u32>;
var<workgroup> first: u32;

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
  let start = group.x * share;
  let end = min(start + share, V);
  let bound = bounds[b];

  if (has_cut(s)) {
    // Candidates are counted before they are written, so that a workgroup reserves room once.
    var count = 0u;
    for (var id = start + lane; id < end; id += LANES) {
      count += u32(key_of(logits[b * V + id]) >= bound.floor);
    }
    let offset = atomicAdd(&found, count);
    workgroupBarrier();
    if (lane == 0u) { first = atomicAdd(&counts[b], atomicLoad(&found)); }
    var to = b * V + workgroupUniformLoad(&first) + offset;
    for (var id = start + lane; id < end; id += LANES) {
      let key = key_of(logits[b * V + id]);
      if (key >= bound.floor) {
        candidates[to] = vec2u(key, id);
        to++;
      }
    }
  } else {
    var pair = NO_TOKEN;
    for (var id = start + lane; id < end; id += LANES) {
      let key = key_of(logits[b * V + id]);
      if (key >= bound.floor) {
        pair = better(pair, vec2u(score(s, bound.greatest, logit_of(key), id), id));
      }
    }
    let best = workgroup_best(lane, pair);
    if (lane == 0u && best.y != NO_TOKEN.y) {
      candidates[b * V + atomicAdd(&counts[b], 1u)] = vec2u(key_of(logits[b * V + best.y]), best.y);
    }
  }
}
