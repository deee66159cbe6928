// Norms query and key heads (heads/*.wgsl), rotates them by RoPE (lib/rope.wgsl), and appends keys and
// values to the cache (kept/*.wgsl). One lane per four channel pairs of one head of a row; heads are H queries,
// K keys, K values.

const LANES = 64u;
const PAGE_TOKENS = 64u;
override H: u32;          // query heads
override K: u32;          // key/value heads
override C: u32;          // channels per head, a multiple of 8
override MAX_PAGES: u32;  // pages per sequence in the page table

@group(0) @binding(0) var<storage, read> rows: array<Row>;                   // [T]
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;                  // [T, (H + 2K) * C/4]
@group(0) @binding(2) var<storage, read> inverse_frequencies: array<vec4f>;  // [C/2 / 4]
@group(0) @binding(3) var<storage, read> axes: array<vec4u>;                 // [C/2 / 4]
@group(0) @binding(4) var<storage, read> page_table: array<u32>;             // [sequences, MAX_PAGES]
@group(0) @binding(5) var<storage, read_write> q: array<vec4f>;              // [T, H * C/4]
@group(0) @binding(6) var<storage, read_write> keys: array<Kept>;            // [pages * 64, K * C/4]
@group(0) @binding(7) var<storage, read_write> values: array<Kept>;          // [pages * 64, K * C/4]

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

  let first = (t * (H + 2u * K) + head) * (C / 4u);
  let a = qkv[first + c];
  let b = qkv[first + c + C / 8u];
  let slot = cache_row(row) * K;

  if (head >= H + K) {
    let value = (slot + head - H - K) * (C / 4u) + c;
    values[value] = kept(a);
    values[value + C / 8u] = kept(b);
    return;
  }

  let scale = head_scale(first);
  let normed = Pairs(a * scale * head_weight(head, c), b * scale * head_weight(head, c + C / 8u));
  let y = rotated(normed, row.rope, c);
  if (head < H) {
    let query = (t * H + head) * (C / 4u) + c;
    q[query] = y.a;
    q[query + C / 8u] = y.b;
  } else {
    let key = (slot + head - H) * (C / 4u) + c;
    keys[key] = kept(y.a);
    keys[key + C / 8u] = kept(y.b);
  }
}

fn cache_row(row: Row) -> u32 {
  let page = page_table[row.sequence * MAX_PAGES + row.position / PAGE_TOKENS];
  return page * PAGE_TOKENS + row.position % PAGE_TOKENS;
}
