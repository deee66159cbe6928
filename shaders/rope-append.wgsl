// Rotates queries and keys by their row's position, and appends keys and values to the cache:
//
//   angle[c] = rope[axes[c]] * inverse_frequencies[c]                      for c < C/2
//   y[c]       = x[c] cos(angle[c]) - x[c + C/2] sin(angle[c])
//   y[c + C/2] = x[c + C/2] cos(angle[c]) + x[c] sin(angle[c])
//
// One lane four of these pairs of one head of a row; heads are the H queries, K keys, K values.

const LANES = 64u;
const PAGE_TOKENS = 64u;
override H: u32;          // query heads
override K: u32;          // key/value heads
override C: u32;          // channels per head, a multiple of 8
override MAX_PAGES: u32;  // pages of a sequence

@group(0) @binding(0) var<storage, read> rows: array<Row>;                   // [T]
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;                  // [T, (H + 2K) * C/4]
@group(0) @binding(2) var<storage, read> inverse_frequencies: array<vec4f>;  // [C/2 / 4]
@group(0) @binding(3) var<storage, read> axes: array<vec4u>;                 // [C/2 / 4]
@group(0) @binding(4) var<storage, read> page_table: array<u32>;             // [sequences, MAX_PAGES]
@group(0) @binding(5) var<storage, read_write> q: array<vec4f>;              // [T, H * C/4]
@group(0) @binding(6) var<storage, read_write> keys: array<vec4f>;           // [pages * 64, K * C/4]
@group(0) @binding(7) var<storage, read_write> values: array<vec4f>;         // [pages * 64, K * C/4]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  let c = i % (C / 8u);
  let head = i / (C / 8u) % (H + 2u * K);
  let t = i / (C / 8u * (H + 2u * K));
  if (t >= arrayLength(&rows)) { return; }
  let row = rows[t];
  let writes = row.position != NOWHERE;
  if (head >= H && !writes) { return; }

  let start = (t * (H + 2u * K) + head) * (C / 4u) + c;
  let a = qkv[start];
  let b = qkv[start + C / 8u];
  let slot = cache_row(row) * K;

  if (head >= H + K) {
    let place = (slot + head - H - K) * (C / 4u) + c;
    values[place] = a;
    values[place + C / 8u] = b;
    return;
  }

  let axis = axes[c];
  let position = vec4f(vec4u(row.rope[axis.x], row.rope[axis.y], row.rope[axis.z], row.rope[axis.w]));
  let turn = sin_cos(position * inverse_frequencies[c]);
  let rotated_a = a * turn.cos - b * turn.sin;
  let rotated_b = b * turn.cos + a * turn.sin;
  if (head < H) {
    let place = (t * H + head) * (C / 4u) + c;
    q[place] = rotated_a;
    q[place + C / 8u] = rotated_b;
  } else {
    let place = (slot + head - H) * (C / 4u) + c;
    keys[place] = rotated_a;
    keys[place + C / 8u] = rotated_b;
  }
}

fn cache_row(row: Row) -> u32 {
  let page = page_table[row.sequence * MAX_PAGES + row.position / PAGE_TOKENS];
  return page * PAGE_TOKENS + row.position % PAGE_TOKENS;
}
