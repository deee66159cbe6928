// y = CAP * tanh(x / CAP) (arXiv 2408.00118). One lane per element.

const LANES = 64u;
override CAP: f32;

@group(0) @binding(0) var<storage, read> x: array<f32>;        // [T, D]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;  // [T, D]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  if (i >= arrayLength(&y)) { return; }
  // On some drivers tanh overflows beyond 44. From 10 on it is 1 in f32.
  y[i] = CAP * tanh(clamp(x[i] / CAP, -15.0, 15.0));
}
