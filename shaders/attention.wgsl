// y[t, h] = softmax(SCALE * q[t, h] . keys) values, over the keys first ..= last of row t
// (lib/key-range.wgsl). Needs lib/attention-tile.wgsl.
//
// One workgroup computes 16 queries of one key/value head: the query heads that share it, of
// consecutive rows. It walks the pages of their keys, 64 keys per step, with an online softmax: m is
// the largest score so far, l the sum of exp(score - m), acc the sum of exp(score - m) * value.
//
// Eight lanes share four queries. Each lane scores them with 8 of the keys, then sums 8 of every 64
// channels for them. It does so in matrices of queries (rows) by keys or channels (columns), so that
// registers feed most of the arithmetic. Keys and values are not staged in workgroup memory, and
// workgroups are small, because software adapters zero workgroup memory once per few lanes.

const LANES = 32u;
const QUERIES = 16u;
const ACROSS = 8u;  // lanes that share four queries

override H: u32;         // query heads
override K: u32;         // key/value heads, dividing H
override C: u32;         // channels per head, a multiple of 4, at most 256
override Q_STRIDE: u32;  // channels between the starts of two rows of q
override SCALE: f32;

@group(0) @binding(0) var<storage, read> rows: array<Row>;       // [T]
@group(0) @binding(1) var<storage, read> q: array<vec4f>;        // [T, Q_STRIDE/4]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;  // [T, H * C/4]

var<workgroup> partial: array<array<vec4f, QUERIES / 4u>, ACROSS>;
var<workgroup> weights: array<array<mat4x4f, QUERIES / 4u>, PAGE_TOKENS / 4u>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let tile = group.x * QUERIES;
  if (lane < QUERIES) { query_keys[lane] = keys_of(tile + lane); }
  workgroupBarrier();

  let along = lane % ACROSS;
  let quad = lane / ACROSS;
  let q_at = q_starts(tile + 4u * quad, head);

  var m = vec4f(NO_MAX);
  var l = vec4f();  // over the keys of this lane
  var acc_a: array<mat4x4f, 4>;  // four channels from 4 * along on, of every 64
  var acc_b: array<mat4x4f, 4>;  // four channels from 4 * along + 32 on, of every 64

  var begin = 0u;
  while (begin < QUERIES) {
    if (lane == 0u) { shared_run = next_run(begin); }
    let run = workgroupUniformLoad(&shared_run);
    var first = vec4u(1);
    var last = vec4u(0);
    for (var i = 0u; i < 4u; i++) {
      let query = 4u * quad + i;
      if (query >= begin && query < run.end) {
        first[i] = query_keys[query].first;
        last[i] = query_keys[query].last;
      }
    }

    for (var page = run.keys.first / PAGE_TOKENS; page * PAGE_TOKENS <= run.keys.last; page++) {
      let start = page * PAGE_TOKENS;
      let row = page_row(run.keys.sequence, start);

      // The lane scores four keys of the page from 4 * along on, and four from 4 * along + 32 on. The
      // initial zeros are explicit: without them, Chromium does not reset the variable in the next
      // iteration of the loop.
      var s_a = mat4x4f();
      var s_b = mat4x4f();
      for (var c = 0u; c < C / 4u; c++) {
        let queries = mat4x4f(q[q_at.x + c], q[q_at.y + c], q[q_at.z + c], q[q_at.w + c]);
        s_a += transpose(queries) * key_block(row + 4u * along, head, c);
        s_b += transpose(queries) * key_block(row + 4u * along + 32u, head, c);
      }
      s_a = masked(s_a, start + 4u * along, first, last);
      s_b = masked(s_b, start + 4u * along + 32u, first, last);
      partial[along][quad] = max(column_max(s_a), column_max(s_b));
      workgroupBarrier();

      var largest = m;
      for (var i = 0u; i < ACROSS; i++) { largest = max(largest, partial[i][quad]); }
      let p_a = exp_minus(s_a, largest);
      let p_b = exp_minus(s_b, largest);
      weights[along][quad] = p_a;
      weights[along + ACROSS][quad] = p_b;
      let shrink = exp2(m - largest);
      l = l * shrink + (p_a + p_b) * vec4f(1);
      m = largest;
      workgroupBarrier();

      // Rows of the page that no query attends to may hold NaN, and 0 * NaN is NaN. So the nearest
      // row within the range is read instead.
      let low = max(run.keys.first, start) - start;
      let high = min(run.keys.last - start, PAGE_TOKENS - 1u);
      for (var i = 0u; i < C; i += 64u) {
        let c = i / 4u + along;
        var sum_a = mat4x4f();
        var sum_b = mat4x4f();
        for (var four = low / 4u; four <= high / 4u; four++) {
          let p = weights[four][quad];
          let at = row + clamp(4u * four + vec4u(0, 1, 2, 3), vec4u(low), vec4u(high));
          sum_a += p * value_block(at, head, c);
          sum_b += p * value_block(at, head, c + ACROSS);
        }
        acc_a[i / 64u] = scaled(acc_a[i / 64u], shrink) + sum_a;
        acc_b[i / 64u] = scaled(acc_b[i / 64u], shrink) + sum_b;
      }
    }
    begin = run.end;
  }

  partial[along][quad] = l;
  workgroupBarrier();
  l = vec4f();
  for (var i = 0u; i < ACROSS; i++) { l += partial[i][quad]; }
  let share = select(vec4f(), 1 / l, l > vec4f());
  for (var i = 0u; i < C; i += 64u) {
    let c = i / 4u + along;
    let y_a = transpose(scaled(acc_a[i / 64u], share));
    let y_b = transpose(scaled(acc_b[i / 64u], share));
    for (var j = 0u; j < 4u; j++) {
      write(tile + 4u * quad + j, head, c, y_a[j]);
      write(tile + 4u * quad + j, head, c + ACROSS, y_b[j]);
    }
  }
}
