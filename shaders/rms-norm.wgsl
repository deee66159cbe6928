// y[t] = x[t] / sqrt(mean(x[t]^2) + EPS) * (weight + OFFSET) + residual[t]. One workgroup per row. The
// residual is a file of epilogue/, or its no-*.wgsl counterpart.

override LANES: u32;  // a power of two
override D: u32;  // row width, a multiple of 4
override EPS: f32;
override OFFSET: f32;  // 1 for checkpoints that store weight - 1

@group(0) @binding(0) var<storage, read> x: array<vec4f>;        // [T, D/4]
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;   // [D/4]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;  // [T, D/4]

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = (group.y * groups.x + group.x) * (D / 4u);
  if (start >= arrayLength(&y)) { return; }

  var squares = 0.0;
  for (var i = lane; i < D / 4u; i += LANES) {
    let v = x[start + i];
    squares += dot(v, v);
  }
  let scale = inverseSqrt(workgroup_sum(lane, squares) / f32(D) + EPS);
  for (var i = lane; i < D / 4u; i += LANES) {
    let v = x[start + i] * scale * (weight[i] + OFFSET);
    let at = 4u * (start + i);
    y[start + i] = vec4f(add_residual(at, v.x), add_residual(at + 1u, v.y),
                         add_residual(at + 2u, v.z), add_residual(at + 3u, v.w));
  }
}
