// y[t, f] = activate(x[t, f]) * x[t, F + f], where epilogue/*.wgsl defines activate. One lane per
// four channels.

const LANES = 64u;
override F: u32;  // width of the result, a multiple of 4

@group(0) @binding(0) var<storage, read> x: array<vec4f>;        // [T, 2F/4]: gate, up
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;  // [T, F/4]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  if (i >= arrayLength(&y)) { return; }
  let start = i / (F / 4u) * (F / 2u) + i % (F / 4u);
  let gate = x[start];
  let gated = vec4f(activate(gate.x), activate(gate.y), activate(gate.z), activate(gate.w));
  y[i] = gated * x[start + F / 4u];
}
