// y[p] = sum over i, j of down[p, i] * across[p, j] * table[i, j]: resamples a grid by separable weights,
// most of which are 0. One workgroup per row.

const LANES = 64u;
override D: u32;       // row width, a multiple of 4
override HEIGHT: u32;  // height and width of the grid
override WIDTH: u32;

@group(0) @binding(0) var<storage, read> table: array<vec4f>;    // [HEIGHT, WIDTH, D/4]
@group(0) @binding(1) var<storage, read> down: array<f32>;       // [P, HEIGHT]
@group(0) @binding(2) var<storage, read> across: array<f32>;     // [P, WIDTH]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;  // [P, D/4]

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = group.y * groups.x + group.x;
  if (p >= arrayLength(&down) / HEIGHT) { return; }
  for (var at = lane; at < D / 4u; at += LANES) {
    var sum = vec4f();
    for (var i = 0u; i < HEIGHT; i++) {
      let weight = down[p * HEIGHT + i];
      if (weight == 0) { continue; }
      for (var j = 0u; j < WIDTH; j++) {
        let share = weight * across[p * WIDTH + j];
        if (share != 0) { sum += share * table[(i * WIDTH + j) * (D / 4u) + at]; }
      }
    }
    y[p * (D / 4u) + at] = sum;
  }
}
