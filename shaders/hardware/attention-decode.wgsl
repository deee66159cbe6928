// y = softmax(score) value for few rows on GPUs, over the keys first ..= last of row t. Each split of the
// keys has
//
//   score = SCALE * q[t, h] . key,   m = max score,   l = sum exp(score - m),
//   sums = sum exp(score - m) * value
//
// and the last workgroup of a row and its query heads merges them, where M is the largest m:
//
//   y[t, h] = (sum of exp(m - M) * sums) / (sum of exp(m - M) * l)
//
// One workgroup computes one split of one row, for QUERIES query heads that share a key/value head, so
// that keys and values are read once for all of them. Split s has pages s, s + SPLITS, ... of the row.
//
// Neighbouring lanes read neighbouring channels. Four lanes share two keys of a page: each sums a
// quarter of their channels, and quad*.wgsl adds the quarters up. Then each lane sums four channels of
// the values of four keys in every 4 * GROUPS.

const LANES = 128u;
const PAGE_VECS = PAGE_TOKENS / 4u;

override H: u32;         // query heads
override K: u32;         // key/value heads, dividing H
override C: u32;         // channels per head, a multiple of 4, at most 256
override Q_STRIDE: u32;  // channels between the starts of two rows of q
override SCALE: f32;
override SPLITS: u32;    // at most PAGE_TOKENS
override QUERIES: u32;   // query heads that a workgroup computes, at most 8
override GROUPS: u32 = min(PAGE_TOKENS / 4u, LANES / (C / 4u));

@group(0) @binding(0) var<storage, read> rows: array<Row>;           // [T]
@group(0) @binding(1) var<storage, read> q: array<vec4f>;            // [T, Q_STRIDE/4]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;        // [T, H * C]
// A counter for each workgroup of a split, then [T, H, SPLITS, C + 2]: sums, m, l.
@group(0) @binding(3) var<storage, read_write> work: array<atomic<u32>>;

var<workgroup> queries: array<vec4f, QUERIES * (C / 4u)>;        // [QUERIES, C/4], at the end their sums
var<workgroup> scores: array<vec2f, QUERIES * PAGE_TOKENS / 2u>;   // [QUERIES, PAGE_TOKENS/2]
var<workgroup> weights: array<vec4f, QUERIES * PAGE_TOKENS / 4u>;  // [QUERIES, PAGE_TOKENS/4]
var<workgroup> shrinks: array<f32, QUERIES>;                       // by which a query's sums shrink
var<workgroup> partial: array<vec4f, 2u * LANES>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let t = group.z;
  let parts = (H / K + QUERIES - 1u) / QUERIES;
  let head = group.y / parts;
  let query = QUERIES * (group.y % parts);
  let keys = key_range(rows[t]);
  let first = keys.first;
  let last = keys.last;
  let first_page = first / PAGE_TOKENS + group.x;
  let count = min(QUERIES, H / K - query);
  let at = t * H + head * (H / K) + query;
  if (first > last) {
    if (group.x > 0u) { return; }
    for (var n = lane; n < count * C; n += LANES) { y[at * C + n] = 0; }
    return;
  }
  if (first_page > last / PAGE_TOKENS) { return; }

  for (var n = lane; n < QUERIES * (C / 4u); n += LANES) {
    let h = head * (H / K) + min(query + n / (C / 4u), H / K - 1u);
    queries[n] = q[(t * Q_STRIDE + h * C) / 4u + n % (C / 4u)];
  }

  // This lane's share of keys and values.
  let quarter = lane % 4u;
  let pair = lane / 4u;
  let channel = lane % (C / 4u);
  let offset = lane / (C / 4u);
  // 16 lanes weigh the keys of a query, four keys each.
  let weighed = lane / 16u;
  let own = lane % 16u;

  var m = NO_MAX;  // of query `weighed`
  var l = 0.0;     // of query `weighed`, over this lane's keys
  var acc = array<vec4f, 8>();

  workgroupBarrier();
  for (var page = first_page; page <= last / PAGE_TOKENS; page += SPLITS) {
    let start = page * PAGE_TOKENS;
    let row = page_row(rows[t].sequence, start);
    let low = max(first, start) - start;
    let high = min(last - start, PAGE_TOKENS - 1u);

    // Rows that the query does not attend to may hold NaN, so the nearest row within the range is read
    // instead.
    let pair_rows = row + clamp(2u * pair + vec2u(0, 1), vec2u(low), vec2u(high));
    // The initial zeros are explicit: without them, Chromium does not reset the variable in the next
    // iteration of the loop.
    var s = array<vec2f, 8>();
    for (var c = quarter; c < C / 4u; c += 4u) {
      let near = key4(pair_rows.x, head, c);
      let far = key4(pair_rows.y, head, c);
      for (var i = 0u; i < QUERIES; i++) {
        let q4 = queries[i * (C / 4u) + c];
        s[i] += vec2f(dot(q4, near), dot(q4, far));
      }
    }
    s = quad_sums(lane, s);
    for (var i = 0u; i < QUERIES; i++) {
      if (quarter == i % 4u) {
        let exponent = exponents(vec4f(s[i], s[i])).xy;
        let keys = 2u * pair + vec2u(0, 1);
        let seen = (keys >= vec2u(low)) & (keys <= vec2u(high));
        scores[i * (PAGE_TOKENS / 2u) + pair] = select(vec2f(MASKED), exponent, seen);
      }
    }
    workgroupBarrier();

    if (weighed < QUERIES) {
      let at = weighed * (PAGE_TOKENS / 2u);
      var largest = vec2f(m);
      for (var i = 0u; i < PAGE_TOKENS / 2u; i++) { largest = max(largest, scores[at + i]); }
      let most = max(largest.x, largest.y);
      let p = exp2(vec4f(scores[at + 2u * own], scores[at + 2u * own + 1u]) - most);
      weights[weighed * (PAGE_TOKENS / 4u) + own] = p;
      let shrink = exp2(m - most);
      if (own == 0u) { shrinks[weighed] = shrink; }
      l = l * shrink + dot(p, vec4f(1));
      m = most;
    }
    workgroupBarrier();

    if (offset < GROUPS) {
      for (var i = 0u; i < QUERIES; i++) { acc[i] *= shrinks[i]; }
      let end = high / 4u;
      for (var four = low / 4u + offset; four <= end; four += GROUPS) {
        let at = row + clamp(4u * four + vec4u(0, 1, 2, 3), vec4u(low), vec4u(high));
        let v0 = value4(at.x, head, channel);
        let v1 = value4(at.y, head, channel);
        let v2 = value4(at.z, head, channel);
        let v3 = value4(at.w, head, channel);
        for (var i = 0u; i < QUERIES; i++) {
          let p = weights[i * (PAGE_TOKENS / 4u) + four];
          acc[i] += p.x * v0 + p.y * v1 + p.z * v2 + p.w * v3;
        }
      }
    }
  }

  let passed = grid.y * grid.z + at * SPLITS * (C + 2u);
  let own_split = passed + group.x * (C + 2u);
  partial[lane] = vec4f(m, l, 0, 0);
  workgroupBarrier();
  if (lane < count) {
    var whole = vec2f(partial[16u * lane].x, 0);
    for (var i = 0u; i < 16u; i++) { whole.y += partial[16u * lane + i].y; }
    let to = own_split + lane * SPLITS * (C + 2u) + C;
    pass_on(to, whole.x);
    pass_on(to + 1u, whole.y);
  }
  for (var i = 0u; i < QUERIES; i++) {
    workgroupBarrier();
    partial[lane] = acc[i];
    workgroupBarrier();
    if (i < count && lane < C / 4u) {
      var whole = partial[lane];
      for (var j = 1u; j < GROUPS; j++) { whole += partial[j * (C / 4u) + lane]; }
      queries[i * (C / 4u) + lane] = whole;
    }
  }
  workgroupBarrier();
  for (var n = lane; n < count * C; n += LANES) {
    pass_on(own_split + n / C * SPLITS * (C + 2u) + n % C, queries[n / 4u][n % 4u]);
  }

  // The splits that have a page.
  let splits = min(SPLITS, last / PAGE_TOKENS - first / PAGE_TOKENS + 1u);
  if (!arrives_last(lane, t * grid.y + group.y, splits)) { return; }

  // As `weights` and `scores` of keys: four splits for each of 16 lanes.
  if (weighed < count) {
    let read_at = passed + weighed * SPLITS * (C + 2u) + C;
    var largest = NO_MAX;
    for (var i = 0u; i < splits; i++) { largest = max(largest, passed_on(read_at + i * (C + 2u))); }
    var p = vec4f();
    var sum = vec4f();
    for (var split = 4u * own; split < min(4u * own + 4u, splits); split++) {
      p[split % 4u] = exp2(passed_on(read_at + split * (C + 2u)) - largest);
      sum[split % 4u] = passed_on(read_at + split * (C + 2u) + 1u);
    }
    weights[weighed * (PAGE_TOKENS / 4u) + own] = p;
    scores[weighed * (PAGE_TOKENS / 2u) + 2u * own] = sum.xy;
    scores[weighed * (PAGE_TOKENS / 2u) + 2u * own + 1u] = sum.zw;
  }
  workgroupBarrier();
  for (var n = lane; n < count * C; n += LANES) {
    let i = n / C;
    var total = 0.0;
    var sum = 0.0;
    for (var split = 0u; split < splits; split++) {
      let weight = weights[i * (PAGE_TOKENS / 4u) + split / 4u][split % 4u];
      total += weight * scores[i * (PAGE_TOKENS / 2u) + split / 2u][split % 2u];
      sum += weight * passed_on(passed + (i * SPLITS + split) * (C + 2u) + n % C);
    }
    y[at * C + n] = select(0.0, sum / total, total > 0);
  }
}
