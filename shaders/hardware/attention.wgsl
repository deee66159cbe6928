// y[t, h] = softmax(SCALE * q[t, h] . keys) values, over the keys first ..= last of row t, for many rows on
// GPUs: as attention.wgsl, with keys and values staged in workgroup memory. Needs lib/attention-tile.wgsl.
//
// One workgroup computes 64 queries of one key/value head: the query heads that share it, of consecutive
// rows. It walks their keys, 32 per step, with an online softmax: m is the largest score so far, l the
// sum of exp(score - m), acc the sum of exp(score - m) * value.
//
// Eight lanes share four queries. A lane scores them with the keys along, along + 8, along + 16 and
// along + 24 of a step, then sums the channels 4 * along .. 4 * along + 3 of every 32. It does so
// in matrices of queries (rows) by keys or channels (columns).

const LANES = 128u;
const QUERIES = 64u;
const QUADS = QUERIES / 4u;
const ACROSS = 8u;         // lanes that share four queries
const STEP = 32u;          // keys of a step

override H: u32;         // query heads
override K: u32;         // key/value heads, dividing H
override C: u32;         // channels per head, a multiple of 4, at most 256
override Q_STRIDE: u32;  // channels between the starts of two rows of q
override SCALE: f32;

@group(0) @binding(0) var<storage, read> rows: array<Row>;       // [T]
@group(0) @binding(1) var<storage, read> q: array<vec4f>;        // [T, Q_STRIDE/4]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;  // [T, H * C/4]

var<workgroup> partial: array<vec4f, ACROSS * QUADS>;  // [ACROSS, QUADS]
// 32 channels of the step's keys, [8, STEP] with key i ^ c in column i of c, or values, [STEP, 8].
var<workgroup> tile: array<vec4f, 8u * STEP>;
// exp(score - m) of four queries and a key: see weight_at.
var<workgroup> weights: array<vec4f, STEP * QUADS>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let first_query = group.x * QUERIES;
  if (lane < QUERIES) { query_keys[lane] = keys_of(first_query + lane); }
  workgroupBarrier();

  let along = lane % ACROSS;
  let quad = lane / ACROSS;
  let q_at = q_starts(first_query + 4u * quad, head);

  var m = vec4f(NO_MAX);
  var l = vec4f();  // over the keys of this lane
  var acc = array<mat4x4f, 8>();

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

    for (var start = run.keys.first / STEP * STEP; start <= run.keys.last; start += STEP) {
      let row = page_row(run.keys.sequence, start / PAGE_TOKENS * PAGE_TOKENS) + start % PAGE_TOKENS;
      // Rows that no query attends to may hold NaN, and 0 * NaN is NaN. So the nearest row within the
      // range is read instead.
      let low = max(run.keys.first, start) - start;
      let high = min(run.keys.last - start, STEP - 1u);

      var s = mat4x4f();
      for (var chunk = 0u; chunk < C / 4u; chunk += 8u) {
        workgroupBarrier();
        for (var n = lane; n < 8u * STEP; n += LANES) {
          let c = n % 8u;
          let key = n / 8u;
          if (chunk + c < C / 4u) {
            tile[c * STEP + (key ^ c)] = key4(row + clamp(key, low, high), head, chunk + c);
          }
        }
        workgroupBarrier();
        for (var c = 0u; c < min(8u, C / 4u - chunk); c++) {
          let at = chunk + c;
          let queries = mat4x4f(q[q_at.x + at], q[q_at.y + at], q[q_at.z + at], q[q_at.w + at]);
          let column = c * STEP + (along ^ c);
          s += transpose(queries) * mat4x4f(tile[column], tile[column + 8u], tile[column + 16u], tile[column + 24u]);
        }
      }
      let key = start + along;
      s = mat4x4f(
        masked_column(s[0], vec4u(key), first, last),
        masked_column(s[1], vec4u(key + 8u), first, last),
        masked_column(s[2], vec4u(key + 16u), first, last),
        masked_column(s[3], vec4u(key + 24u), first, last),
      );
      partial[along * QUADS + quad] = column_max(s);
      workgroupBarrier();

      var largest = m;
      for (var i = 0u; i < ACROSS; i++) { largest = max(largest, partial[i * QUADS + quad]); }
      let p = exp_minus(s, largest);
      for (var i = 0u; i < 4u; i++) { weights[weight_at(along, i, quad)] = p[i]; }
      let shrink = exp2(m - largest);
      l = l * shrink + p * vec4f(1);
      m = largest;

      for (var chunk = 0u; chunk < C / 4u; chunk += 8u) {
        workgroupBarrier();
        for (var n = lane; n < 8u * STEP; n += LANES) {
          let c = chunk + n % 8u;
          let i = row + clamp(n / 8u, low, high);
          if (c < C / 4u) { tile[n] = value4(i, head, c); }
        }
        workgroupBarrier();
        if (chunk + along < C / 4u) {
          var sum = mat4x4f();
          for (var four = 0u; four < ACROSS; four++) {
            let at = four * 8u + along;
            let values = transpose(mat4x4f(tile[at], tile[at + 64u], tile[at + 128u], tile[at + 192u]));
            sum += mat4x4f(
              weights[weight_at(four, 0u, quad)],
              weights[weight_at(four, 1u, quad)],
              weights[weight_at(four, 2u, quad)],
              weights[weight_at(four, 3u, quad)],
            ) * values;
          }
          acc[chunk / 8u] = scaled(acc[chunk / 8u], shrink) + sum;
        }
      }
    }
    begin = run.end;
  }

  workgroupBarrier();
  partial[along * QUADS + quad] = l;
  workgroupBarrier();
  l = vec4f();
  for (var i = 0u; i < ACROSS; i++) { l += partial[i * QUADS + quad]; }
  let share = select(vec4f(), 1 / l, l > vec4f());
  for (var chunk = 0u; chunk < C / 4u; chunk += 8u) {
    let channels = transpose(scaled(acc[chunk / 8u], share));
    for (var j = 0u; j < 4u; j++) {
      write(first_query + 4u * quad + j, head, chunk + along, channels[j]);
    }
  }
}

/// Where the weights of a quad of queries are, for key four + 8i of a step. Neither lanes that store theirs nor
/// lanes that load them meet in a bank.
fn weight_at(four: u32, i: u32, quad: u32) -> u32 {
  return (i * ACROSS + four) * QUADS + (quad + 2u * four) % QUADS;
}
