// tokens[b] = the candidate with the best score among those that top_k, top_p and min_p keep.
//
// What top_k and top_p keep is everything from some key on: the greatest key from which at least k
// tokens, or a share top_p of the probability, lie. It is found digit by digit, 256 keys a time,
// from histograms instead of a sort. Probabilities are added as integers, so that the order in
// which candidates come, which differs from run to run, changes nothing. One workgroup a sequence.

const LANES = 256u;  // one a digit

@group(0) @binding(0) var<storage, read> candidates: array<vec2u>;  // [B, V] (key, id)
@group(0) @binding(1) var<storage, read> counts: array<u32>;        // [B]
@group(0) @binding(2) var<storage, read> bounds: array<Bounds>;     // [B]

var<workgroup> settings: Sampling;
var<workgroup> held: atomic<u32>;
var<workgroup> histogram: array<atomic<u32>, LANES>;
var<workgroup> sixteens: array<u32, 16>;
var<workgroup> cut: Cut;

struct Cut {
  digit: u32,
  above: u32,  // weight of what lies above the digit
  upto: u32,   // and with the digit's own
}

/// The candidates of one sequence, and how a token is weighed.
struct List {
  start: u32,
  end: u32,
  greatest: f32,
  temperature: f32,
  unit: f32,  // weight of the most likely token; 0 weighs every token 1
}

fn weight(list: List, key: u32) -> u32 {
  if (list.unit == 0.0) { return 1u; }
  return u32(exp((logit_of(key) - list.greatest) / list.temperature) * list.unit + 0.5);
}

/// The weight of all candidates from key `lowest` on. Every lane must call, and once only.
fn weigh(lane: u32, list: List, lowest: u32) -> u32 {
  var sum = 0u;
  for (var i = list.start + lane; i < list.end; i += LANES) {
    let key = candidates[i].x;
    if (key >= lowest) { sum += weight(list, key); }
  }
  atomicAdd(&held, sum);
  workgroupBarrier();
  return atomicLoad(&held);
}

/// The greatest key from which candidates of at least `wanted` lie, and their weight; `wanted` must
/// not be more than that of all from `lowest` on. Every lane must call.
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
  // The most that the weights of what may be kept can sum to, in those of the most likely token.
  var most = bound.sum;
  if (s.top_k > 0u) {
    let kth = find_cut(lane, list, lowest, min(s.top_k, counts[b]));
    lowest = kth.x;
    most = min(most, f32(kth.y));
  }
  if (s.top_p < 1.0) {
    list.unit = 0x1p31f / most;
    let kept = weigh(lane, list, lowest);
    // Without top_k the floor has left out what is certain to be cut, but is part of the whole.
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
