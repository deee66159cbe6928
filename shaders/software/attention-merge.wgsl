// y[t, h] = (sum of exp(m - M) * sums) / (sum of exp(m - M) * l) over the splits of attention-decode,
// where M is the largest m. One workgroup per row and head.

const LANES = 64u;
const PAGE_TOKENS = 64u;

override H: u32;        // query heads
override C: u32;        // channels per head, a multiple of 4
override SPLITS: u32;

@group(0) @binding(0) var<storage, read> rows: array<Row>;       // [T]
@group(0) @binding(1) var<storage, read> sums: array<vec4f>;     // [T, H, SPLITS, C/4]
@group(0) @binding(2) var<storage, read> stats: array<vec2f>;    // [T, H, SPLITS] m, l
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;  // [T, H * C/4]

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let t = group.y;
  let at = t * H + group.x;
  let keys = key_range(rows[t]);
  // The splits that had a page. Others wrote nothing.
  var splits = 0u;
  if (keys.first <= keys.last) {
    splits = min(SPLITS, keys.last / PAGE_TOKENS - keys.first / PAGE_TOKENS + 1u);
  }

  var largest = -1e30;
  for (var i = 0u; i < splits; i++) { largest = max(largest, stats[at * SPLITS + i].x); }
  for (var c = lane; c < C / 4u; c += LANES) {
    var total = 0.0;
    var sum = vec4f();
    for (var i = 0u; i < splits; i++) {
      let split = at * SPLITS + i;
      let weight = exp2(stats[split].x - largest);
      total += weight * stats[split].y;
      sum += weight * sums[split * (C / 4u) + c];
    }
    y[at * (C / 4u) + c] = select(vec4f(), sum / total, total > 0);
  }
}
