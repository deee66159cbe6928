// The best (key, id) of a workgroup: the greatest key, and among equal keys the lowest id. The kernel
// declares LANES, a multiple of 16. Two rounds of 16 need fewer barriers than a tree.

/// Loses against every token.
const NO_TOKEN = vec2u(0u, 0xffffffffu);

var<workgroup> best_pairs: array<vec2u, LANES>;

fn better(a: vec2u, b: vec2u) -> vec2u {
  return select(b, a, a.x > b.x || (a.x == b.x && a.y < b.y));
}

/// The best pair, in lane 0 only. Every lane must call this, and only once between barriers.
fn workgroup_best(lane: u32, pair: vec2u) -> vec2u {
  best_pairs[lane] = pair;
  workgroupBarrier();
  var best = pair;
  if (lane < 16u) {
    for (var i = lane + 16u; i < LANES; i += 16u) { best = better(best, best_pairs[i]); }
    best_pairs[lane] = best;
  }
  workgroupBarrier();
  if (lane == 0u) {
    for (var i = 1u; i < 16u; i++) { best = better(best, best_pairs[i]); }
  }
  return best;
}
