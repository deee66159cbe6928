// y[b] = x[indices[b]], or more[indices[b] - T] for indices from T on. One workgroup per row.

const LANES = 64u;
override D: u32;  // row width, a multiple of 4

@group(0) @binding(0) var<storage, read> x: array<vec4f>;        // [T, D/4]
@group(0) @binding(1) var<storage, read> more: array<vec4f>;     // [E, D/4]
@group(0) @binding(2) var<storage, read> indices: array<u32>;    // [B]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;  // [B, D/4]

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let b = group.y * groups.x + group.x;
  if (b >= arrayLength(&indices)) { return; }
  let width = D / 4u;
  let T = arrayLength(&x) / width;
  let index = indices[b];
  if (index < T) {
    for (var i = lane; i < width; i += LANES) { y[b * width + i] = x[index * width + i]; }
  } else {
    for (var i = lane; i < width; i += LANES) { y[b * width + i] = more[(index - T) * width + i]; }
  }
}
