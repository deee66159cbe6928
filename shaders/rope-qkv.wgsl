// y = qkv with its query and key heads rotated by RoPE (lib/rope.wgsl). One lane per four channel pairs
// of one head of a row; heads are H queries, K keys, K values.

const LANES = 64u;
override H: u32;  // query heads
override K: u32;  // key/value heads
override C: u32;  // channels per head, a multiple of 8

@group(0) @binding(0) var<storage, read> rows: array<Row>;                   // [P]
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;                  // [P, (H + 2K) * C/4]
@group(0) @binding(2) var<storage, read> inverse_frequencies: array<vec4f>;  // [C/2 / 4]
@group(0) @binding(3) var<storage, read> axes: array<vec4u>;                 // [C/2 / 4]
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;              // [P, (H + 2K) * C/4]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  let c = i % (C / 8u);
  let head = i / (C / 8u) % (H + 2u * K);
  let p = i / (C / 8u * (H + 2u * K));
  if (p >= arrayLength(&rows)) { return; }

  let start = (p * (H + 2u * K) + head) * (C / 4u) + c;
  var x = Pairs(qkv[start], qkv[start + C / 8u]);
  if (head < H + K) { x = rotated(x, rows[p].rope, c); }
  y[start] = x.a;
  y[start + C / 8u] = x.b;
}
