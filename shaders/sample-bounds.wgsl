// bounds[b] = the greatest logit and the sum over all shares of the vocabulary, and two keys:
//
// least  is the key of greatest + temperature * ln(min_p).
// floor  is a lower bound of what top_k and top_p keep, so that few tokens remain as candidates.
//   top_k: at least k tokens reach the k-th greatest of the shares' greatest logits.
//   top_p: tokens with a probability below (1 - top_p) / V sum to less than 1 - top_p, so the cut is
//     above them. (The factor 0.5 allows for rounding.) With top_k this bound is not used, because the
//     nucleus is a part of all that top_k keeps, and none of that may be missing.
//
// One workgroup per sequence, one lane per share.

const LANES = 128u;  // at least C
override V: f32;

@group(0) @binding(0) var<storage, read> partials: array<Partial>;      // [B, C]
@group(0) @binding(1) var<storage, read> params: array<Sampling>;       // [B]
@group(0) @binding(2) var<storage, read_write> bounds: array<Bounds>;   // [B]
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;      // [B]

var<workgroup> keys: array<u32, LANES>;
var<workgroup> kth: atomic<u32>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let b = group.x;
  let s = params[b];
  if (s.row == NOWHERE) { return; }
  let C = arrayLength(&partials) / groups.x;

  var mine = Partial();
  if (lane < C) { mine = partials[b * C + lane]; }
  keys[lane] = mine.key;
  if (lane == 0u) { atomicStore(&kth, 0xffffffffu); }
  workgroupBarrier();

  var greatest_key = 0u;
  var above = 0u;
  for (var c = 0u; c < C; c++) {
    greatest_key = max(greatest_key, keys[c]);
    above += u32(keys[c] > mine.key);
  }
  if (lane < C && above < s.top_k) { atomicMin(&kth, mine.key); }
  let greatest = logit_of(greatest_key);
  var sum = 0.0;
  if (mine.sum > 0.0) { sum = mine.sum * exp((logit_of(mine.key) - greatest) / s.temperature); }
  let total = workgroup_sum(lane, sum);

  if (lane == 0u) {
    let least = key_of(greatest + s.temperature * s.log_min_p);
    var floor = least;
    if (s.top_k > 0u) {
      floor = select(0u, atomicLoad(&kth), s.top_k <= C);
    } else if (s.top_p < 1.0) {
      floor = key_of(greatest + s.temperature * log(0.5 * (1.0 - s.top_p) / V * total));
    }
    bounds[b] = Bounds(greatest, total, floor, least);
    counts[b] = 0u;
  }
}
