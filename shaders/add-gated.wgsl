// y[t, d] = a[t, d] + factor * b[t, d] in the rows that gates/*.wgsl lets through, a[t, d] in others.
// The factor is tanh(gate), or 1 - tanh(gate). One lane per element.

const LANES = 64u;
override D: u32;            // row width
override COMPLEMENT: bool;  // whether the factor is 1 - tanh(gate)

@group(0) @binding(0) var<storage, read> a: array<f32>;        // [T, D]
@group(0) @binding(1) var<storage, read> b: array<f32>;        // [T, D]
@group(0) @binding(2) var<storage, read> gate: array<f32>;     // [1]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;  // [T, D]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  if (i >= arrayLength(&y)) { return; }
  let opening = tanh(gate[0]);
  let factor = select(opening, 1.0 - opening, COMPLEMENT);
  y[i] = select(a[i], a[i] + factor * b[i], lets_through(i / D));
}
