// Partial sums of attention for few rows: for each split of the keys first ..= last of row t,
//
//   m = max SCALE * q[t, h] . key,   l = sum exp(score - m),   sums = sum exp(score - m) * value
//
// One workgroup takes up to four of the query heads that share a key/value head, of one row, and
// four splits; split s takes pages s, s + SPLITS, ... of the row's. Sixteen lanes share a split:
// each scores four keys of a page with the four queries, then sums four of every 64 channels.

const LANES = 64u;
const ACROSS = 16u;  // lanes that share a split
const SLOTS = 4u;    // splits of a workgroup

override H: u32;         // query heads
override K: u32;         // key/value heads, dividing H
override C: u32;         // channels per head, a multiple of 4, at most 256
override Q_STRIDE: u32;  // channels from a row of q to the next
override SCALE: f32;
override WINDOW: bool;   // keys start at window_first instead of first
override SPLITS: u32;    // a multiple of SLOTS

@group(0) @binding(0) var<storage, read> rows: array<Row>;           // [T]
@group(0) @binding(1) var<storage, read> q: array<vec4f>;            // [T, Q_STRIDE/4]
@group(0) @binding(2) var<storage, read_write> sums: array<vec4f>;   // [T, H, SPLITS, C/4]
@group(0) @binding(3) var<storage, read_write> stats: array<vec2f>;  // [T, H, SPLITS] m, l

var<workgroup> partial: array<array<vec4f, SLOTS>, ACROSS>;
var<workgroup> weights: array<array<mat4x4f, SLOTS>, ACROSS>;  // of four keys each

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let t = group.z;
  let quads = (H / K + 3u) / 4u;
  let head = group.y / quads;
  let query = 4u * (group.y % quads);
  let first = select(rows[t].first, rows[t].window_first, WINDOW);
  let last = rows[t].last;
  let first_page = first / PAGE_TOKENS + group.x * SLOTS;
  if (first > last || first_page > last / PAGE_TOKENS) { return; }

  let along = lane % ACROSS;
  let slot = lane / ACROSS;
  let q_at = (t * Q_STRIDE + q_head(head, query + vec4u(0, 1, 2, 3)) * C) / 4u;

  var m = vec4f(NO_MAX);
  var l = vec4f();  // of the lane's own keys
  var acc: array<mat4x4f, 4>;

  for (var page = first_page; page <= last / PAGE_TOKENS; page += SPLITS) {
    // The last pages may be fewer than the slots.
    let attends = page + slot <= last / PAGE_TOKENS;
    let start = (page + slot) * PAGE_TOKENS;
    let row = page_row(rows[t].sequence, select(page * PAGE_TOKENS, start, attends));

    // Zeros are written out, for Chromium forgets to reset a variable without them when a loop
    // comes round.
    var s = mat4x4f();
    if (attends) {
      for (var c = 0u; c < C / 4u; c++) {
        let queries = mat4x4f(q[q_at.x + c], q[q_at.y + c], q[q_at.z + c], q[q_at.w + c]);
        s += transpose(queries) * key_block(row + 4u * along, head, c);
      }
    }
    s = masked(s, start + 4u * along, vec4u(first), vec4u(last));
    partial[along][slot] = column_max(s);
    workgroupBarrier();

    var largest = m;
    for (var i = 0u; i < ACROSS; i++) { largest = max(largest, partial[i][slot]); }
    let p = exp_minus(s, largest);
    weights[along][slot] = p;
    let shrink = exp2(m - largest);
    l = l * shrink + p * vec4f(1);
    m = largest;
    workgroupBarrier();

    if (attends) {
      let low = max(first, start) - start;
      let high = min(last - start, PAGE_TOKENS - 1u);
      for (var i = 0u; i < C; i += 64u) {
        var sum = mat4x4f();
        for (var four = low / 4u; four <= high / 4u; four++) {
          let at = row + clamp(4u * four + vec4u(0, 1, 2, 3), vec4u(low), vec4u(high));
          sum += weights[four][slot] * value_block(at, head, i / 4u + along);
        }
        acc[i / 64u] = scaled(acc[i / 64u], shrink) + sum;
      }
    }
  }

  partial[along][slot] = l;
  workgroupBarrier();
  l = vec4f();
  for (var i = 0u; i < ACROSS; i++) { l += partial[i][slot]; }

  let split = group.x * SLOTS + slot;
  if (first_page + slot > last / PAGE_TOKENS) { return; }
  for (var j = 0u; j < min(4u, H / K - query); j++) {
    let place = (t * H + head * (H / K) + query + j) * SPLITS + split;
    if (along == 0u) { stats[place] = vec2f(m[j], l[j]); }
    for (var c = along; c < C / 4u; c += ACROSS) {
      let block = acc[c / ACROSS];
      sums[place * (C / 4u) + c] = vec4f(block[0][j], block[1][j], block[2][j], block[3][j]);
    }
  }
}

/// The query head of each i-th that shares a key/value head; beyond the last, the last.
fn q_head(head: u32, i: vec4u) -> vec4u {
  return head * (H / K) + min(i, vec4u(H / K - 1u));
}
