// into[places[i]] = x[i]. One workgroup a row.

const LANES = 64u;
override D: u32;  // row width, a multiple of 4

@group(0) @binding(0) var<storage, read> x: array<vec4f>;           // [T, D/4]
@group(0) @binding(1) var<storage, read> places: array<u32>;        // [T]; rows beyond N are dropped
@group(0) @binding(2) var<storage, read_write> into: array<vec4f>;  // [N, D/4]

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = group.y * groups.x + group.x;
  if (i >= arrayLength(&places)) { return; }
  let width = D / 4u;
  let place = places[i];
  if (place >= arrayLength(&into) / width) { return; }
  for (var c = lane; c < width; c += LANES) { into[place * width + c] = x[i * width + c]; }
}
