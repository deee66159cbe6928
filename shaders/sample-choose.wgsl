// tokens[b] = the candidate with the best score among those that top_k, top_p and min_p keep.
//
// top_k and top_p keep all tokens from a threshold key on: the greatest key such that at least k
// tokens, or a share top_p of the probability, are at or above it. A radix search with histograms of
// 256 digits finds the threshold, without a sort. Probabilities are added as integers, so that the
// result does not depend on the order of candidates, which differs between runs. One workgroup per
// sequence.

const LANES = 256u;  // one per digit

@group(0) @binding(0) var<storage, read> candidates: array<vec2u>;  // [B, V] (key, id)
@group(0) @binding(1) var<storage, read> counts: array<u32>;        // [B]
@group(0) @binding(2) var<storage, read> bounds: array<Bounds>;     // [B]

var<workgroup> settings: Sampling;
var<workgroup> weight_sum: atomic<u32>;
var<workgroup> histogram: array<atomic<u32>, LANES>;
var<workgroup> sixteens: array<u32, 16>;
var<workgroup> cut: Cut;

struct Cut {
  digit: u32,
  above: u32,  // weight of the digits above
  upto: u32,   // weight of the digits above and of this one
}

/// The candidates of one sequence, and what decides their weights.
struct List {
  start: u32,
  end: u32,
  greatest: f32,
  temperature: f32,
  unit: f32,  // weight of the most likely token; 0 gives every token the weight 1
}

fn weight(list: List, key: u32) -> u32 {
  if (list.unit == 0.0) { return 1u; }
  return u32(exp((logit_of(key) - list.greatest) / list.temperature) * list.unit + 0.5);
}

/// The weight of all candidates from key `lowest` on. Every lane must call this, and only once.
fn weigh(lane: u32, list: List, lowest: u32) -> u32 {
  var sum = 0u;
  for (var i = list.start + lane; i < list.end; i += LANES) {
    let key = candidates[i].x;
    if (key >= lowest) { sum += weight(list, key); }
  }
  atomicAdd(&weight_sum, sum);
  workgroupBarrier();
  return atomicLoad(&weight_sum);
}

/// The greatest key such that the candidates from it on weigh at least `wanted`, and their weight.
/// `wanted` must not exceed the weight of all candidates from `lowest` on. Every lane must call this.
fn find_cut(lane: u32, list: List, lowest: u32, wanted: u32) -> vec2u {
  var prefix = 0u;
  var mask = 0u;
  var above = 0u;
  var upto = 0u;
  for (var shift = 32u; shift > 0u;) {
    shift -= 8u;
    atomicStore(&histogram[lane], 0u);
    workgroupBarrier();
    for (var i = list.start + lane; i < list.end; i += LANES) {
      let key = candidates[i].x;
      if (key >= lowest && (key & mask) == prefix) {
        atomicAdd(&histogram[(key >> shift) & 255u], weight(list, key));
      }
    }
    workgroupBarrier();
    if (lane < 16u) {
      var sum = 0u;
      for (var i = 0u; i < 16u; i++) { sum += atomicLoad(&histogram[lane * 16u + i]); }
      sixteens[lane] = sum;
    }
    workgroupBarrier();
    if (lane == 0u) {
      var sixteen = 15u;
      while (sixteen > 0u && above + sixteens[sixteen] < wanted) {
        above += sixteens[sixteen];
        sixteen--;
      }
      var digit = sixteen * 16u + 15u;
      var own = atomicLoad(&histogram[digit]);
      while (digit > sixteen * 16u && above + own < wanted) {
        above += own;
        digit--;
        own = atomicLoad(&histogram[digit]);
      }
      cut = Cut(digit, above, above + own);
    }
    let level = workgroupUniformLoad(&cut);
    prefix |= level.digit << shift;
    mask |= 255u << shift;
    above = level.above;
    upto = level.upto;
  }
  return vec2u(prefix, upto);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let b = group.x;
  if (lane == 0u) { settings = params[b]; }
  let s = workgroupUniformLoad(&settings);
  if (s.row == NOWHERE) { return; }
  let bound = bounds[b];
  let start = b * (arrayLength(&candidates) / arrayLength(&counts));
  var list = List(start, start + counts[b], bound.greatest, s.temperature, 0.0);

  var lowest = 0u;
  // An upper bound of the kept candidates' probability, in units of the most likely token's.
  var most = bound.sum;
  if (s.top_k > 0u) {
    let kth = find_cut(lane, list, lowest, min(s.top_k, counts[b]));
    lowest = kth.x;
    most = min(most, f32(kth.y));
  }
  if (s.top_p < 1.0) {
    list.unit = 0x1p31f / most;
    let kept = weigh(lane, list, lowest);
    // Without top_k, candidates below the floor are missing. They are certain to be cut, but count in
    // the whole.
    let whole = select(0x1p31f, f32(kept), s.top_k > 0u);
    let wanted = clamp(u32(ceil(s.top_p * whole)), 1u, kept);
    lowest = find_cut(lane, list, lowest, wanted).x;
  }
  lowest = max(lowest, bound.least);

  var pair = NO_TOKEN;
  for (var i = list.start + lane; i < list.end; i += LANES) {
    let key = candidates[i].x;
    let id = candidates[i].y;
    if (key >= lowest) {
      pair = better(pair, vec2u(score(s, bound.greatest, logit_of(key), id), id));
    }
  }
  let best = workgroup_best(lane, pair);
  if (lane == 0u) { advance(b, best.y); }
}
