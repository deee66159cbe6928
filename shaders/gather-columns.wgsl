// y[t, k] = x[t, columns[k]].

const LANES = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;        // [T, D]
@group(0) @binding(1) var<storage, read> columns: array<u32>;  // [D]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;  // [T, D]

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let D = arrayLength(&columns);
  let i = (group.y * groups.x + group.x) * LANES + lane;
  if (i >= arrayLength(&y)) { return; }
  y[i] = x[i - i % D + columns[i % D]];
}
