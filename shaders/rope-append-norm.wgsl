// y = qkv with its query and key heads normed (heads/rms-norm.wgsl). One lane per four channels of
// one head of a row; heads are H queries, K keys, K values.

const LANES = 64u;
override H: u32;  // query heads
override K: u32;  // key/value heads
override C: u32;  // channels per head, a multiple of 4

@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;      // [T, (H + 2K) * C/4]
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;  // [T, (H + 2K) * C/4]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  if (i >= arrayLength(&y)) { return; }
  let c = i % (C / 4u);
  let head = i / (C / 4u) % (H + 2u * K);
  if (head >= H + K) {
    y[i] = qkv[i];
  } else {
    y[i] = qkv[i] * head_scale(i - c) * head_weight(head, c);
  }
}
