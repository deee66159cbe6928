// Attention for few rows: partial sums for each split of the keys first ..= last of row t
// (lib/key-range.wgsl),
//
//   score = SCALE * q[t, h] . key,   m = max score,   l = sum exp(score - m),
//   sums = sum exp(score - m) * value
//
// One workgroup computes one split of one row, for up to four query heads that share a key/value head.
// Split s has pages s, s + SPLITS, ... of the row. Each lane scores four keys of a page with the four
// queries, then sums four of every 64 channels of their values.
//
// Workgroups are small, because few rows must fill the GPU, and because software adapters zero
// workgroup memory once per few lanes.

const LANES = 16u;

override H: u32;         // query heads
override K: u32;         // key/value heads, dividing H
override C: u32;         // channels per head, a multiple of 4, at most 256
override Q_STRIDE: u32;  // channels between the starts of two rows of q
override SCALE: f32;
override SPLITS: u32;

@group(0) @binding(0) var<storage, read> rows: array<Row>;           // [T]
@group(0) @binding(1) var<storage, read> q: array<vec4f>;            // [T, Q_STRIDE/4]
@group(0) @binding(2) var<storage, read_write> sums: array<vec4f>;   // [T, H, SPLITS, C/4]
@group(0) @binding(3) var<storage, read_write> stats: array<vec2f>;  // [T, H, SPLITS] m, l

var<workgroup> partial: array<vec4f, LANES>;
var<workgroup> weights: array<mat4x4f, LANES>;  // each of four keys

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let t = group.z;
  let quads = (H / K + 3u) / 4u;
  let head = group.y / quads;
  let query = 4u * (group.y % quads);
  let keys = key_range(rows[t]);
  let first = keys.first;
  let last = keys.last;
  let first_page = first / PAGE_TOKENS + group.x;
  if (first > last || first_page > last / PAGE_TOKENS) { return; }

  let q_at = (t * Q_STRIDE + q_head(head, query + vec4u(0, 1, 2, 3)) * C) / 4u;

  var m = vec4f(NO_MAX);
  var l = vec4f();  // over the keys of this lane
  var acc: array<mat4x4f, 4>;

  for (var page = first_page; page <= last / PAGE_TOKENS; page += SPLITS) {
    let start = page * PAGE_TOKENS;
    let row = page_row(rows[t].sequence, start);

    // The initial zeros are explicit: without them, Chromium does not reset the variable in the next
    // iteration of the loop.
    var s = mat4x4f();
    for (var c = 0u; c < C / 4u; c++) {
      let queries = mat4x4f(q[q_at.x + c], q[q_at.y + c], q[q_at.z + c], q[q_at.w + c]);
      s += transpose(queries) * key_block(row + 4u * lane, head, c);
    }
    s = masked(s, start + 4u * lane, vec4u(first), vec4u(last));
    partial[lane] = column_max(s);
    workgroupBarrier();

    var largest = m;
    for (var i = 0u; i < LANES; i++) { largest = max(largest, partial[i]); }
    let p = exp_minus(s, largest);
    weights[lane] = p;
    let shrink = exp2(m - largest);
    l = l * shrink + p * vec4f(1);
    m = largest;
    workgroupBarrier();

    let low = max(first, start) - start;
    let high = min(last - start, PAGE_TOKENS - 1u);
    for (var i = 0u; i < C; i += 64u) {
      var sum = mat4x4f();
      for (var four = low / 4u; four <= high / 4u; four++) {
        let at = row + clamp(4u * four + vec4u(0, 1, 2, 3), vec4u(low), vec4u(high));
        sum += weights[four] * value_block(at, head, i / 4u + lane);
      }
      acc[i / 64u] = scaled(acc[i / 64u], shrink) + sum;
    }
  }

  partial[lane] = l;
  workgroupBarrier();
  l = vec4f();
  for (var i = 0u; i < LANES; i++) { l += partial[i]; }

  for (var j = 0u; j < min(4u, H / K - query); j++) {
    let split = (t * H + head * (H / K) + query + j) * SPLITS + group.x;
    if (lane == 0u) { stats[split] = vec2f(m[j], l[j]); }
    for (var c = lane; c < C / 4u; c += LANES) {
      let block = acc[c / LANES];
      sums[split * (C / 4u) + c] = vec4f(block[0][j], block[1][j], block[2][j], block[3][j]);
    }
  }
}

/// The i-th query heads of those that share a key/value head. Beyond the last: the last.
fn q_head(head: u32, i: vec4u) -> vec4u {
  return head * (H / K) + min(i, vec4u(H / K - 1u));
}
