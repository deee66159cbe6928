// into[targets[t]] = x[t]. Rows with a target from N on are dropped. One workgroup per row.

const LANES = 64u;
override D: u32;  // row width, a multiple of 4

@group(0) @binding(0) var<storage, read> x: array<vec4f>;           // [T, D/4]
@group(0) @binding(1) var<storage, read> targets: array<u32>;       // [T]
@group(0) @binding(2) var<storage, read_write> into: array<vec4f>;  // [N, D/4]

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let t = group.y * groups.x + group.x;
  if (t >= arrayLength(&targets)) { return; }
  let width = D / 4u;
  let row = targets[t];
  if (row >= arrayLength(&into) / width) { return; }
  for (var i = lane; i < width; i += LANES) { into[row * width + i] = x[t * width + i]; }
}
