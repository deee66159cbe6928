// y[i] = a[i] + b[i mod length of b]. One lane per element.

const LANES = 64u;

@group(0) @binding(0) var<storage, read> a: array<f32>;        // [T, D]
@group(0) @binding(1) var<storage, read> b: array<f32>;        // [R, D]; R divides T
@group(0) @binding(2) var<storage, read_write> y: array<f32>;  // [T, D]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  if (i < arrayLength(&y)) { y[i] = a[i] + b[i % arrayLength(&b)]; }
}
