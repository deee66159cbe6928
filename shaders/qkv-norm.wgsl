// y = qkv whose queries and keys are each divided by sqrt(mean(x^2) + EPS) and multiplied by a weight; values
// are copied. One workgroup per section of a row: queries, keys or values.

override LANES: u32;  // a power of two
override D: u32;  // width of a section, a multiple of 4
override EPS: f32;

@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;       // [T, 3 * D/4]
@group(0) @binding(1) var<storage, read> q_weight: array<vec4f>;  // [D/4]
@group(0) @binding(2) var<storage, read> k_weight: array<vec4f>;  // [D/4]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;   // [T, 3 * D/4]

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  let start = index * (D / 4u);
  if (start >= arrayLength(&y)) { return; }

  var squares = 0.0;
  for (var i = lane; i < D / 4u; i += LANES) {
    let v = qkv[start + i];
    squares += dot(v, v);
  }
  let scale = inverseSqrt(workgroup_sum(lane, squares) / f32(D) + EPS);
  for (var i = lane; i < D / 4u; i += LANES) {
    let v = qkv[start + i];
    switch index % 3u {
      case 0u: { y[start + i] = v * scale * q_weight[i]; }
      case 1u: { y[start + i] = v * scale * k_weight[i]; }
      default: { y[start + i] = v; }
    }
  }
}
