// y[p] = sum over j < 4 of weights[p, j] * table[indices[p, j]]. One workgroup per row.

const LANES = 64u;
override D: u32;  // row width, a multiple of 4

@group(0) @binding(0) var<storage, read> table: array<vec4f>;    // [R, D/4]
@group(0) @binding(1) var<storage, read> indices: array<vec4u>;  // [P]
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;  // [P]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;  // [P, D/4]

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = group.y * groups.x + group.x;
  if (p >= arrayLength(&indices)) { return; }
  let start = indices[p] * (D / 4u);
  let weight = weights[p];
  for (var i = lane; i < D / 4u; i += LANES) {
    let corners = mat4x4f(
      table[start.x + i],
      table[start.y + i],
      table[start.z + i],
      table[start.w + i],
    );
    y[p * (D / 4u) + i] = corners * weight;
  }
}
