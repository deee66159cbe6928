// y[t, d] = a[t, d] + scale[d] * b[t, d]. One lane per element.

const LANES = 64u;

@group(0) @binding(0) var<storage, read> a: array<f32>;        // [T, D]
@group(0) @binding(1) var<storage, read> b: array<f32>;        // [T, D]
@group(0) @binding(2) var<storage, read> scale: array<f32>;    // [D]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;  // [T, D]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  if (i < arrayLength(&y)) { y[i] = a[i] + scale[i % arrayLength(&scale)] * b[i]; }
}
