// y[t] = x[t], plus states[token - V] where token >= V. One workgroup per row.

const LANES = 64u;
override D: u32;  // row width, a multiple of 4
override V: u32;  // size of the vocabulary

@group(0) @binding(0) var<storage, read> rows: array<Row>;       // [T]
@group(0) @binding(1) var<storage, read> x: array<vec4f>;        // [T, D/4]
@group(0) @binding(2) var<storage, read> states: array<vec4f>;   // [N, D/4]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;  // [T, D/4]

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let t = group.y * groups.x + group.x;
  if (t >= arrayLength(&rows)) { return; }
  let token = rows[t].token;
  let start = t * (D / 4u);

  if (token >= V) {
    let state = (token - V) * (D / 4u);
    for (var i = lane; i < D / 4u; i += LANES) { y[start + i] = x[start + i] + states[state + i]; }
  } else {
    for (var i = lane; i < D / 4u; i += LANES) { y[start + i] = x[start + i]; }
  }
}
