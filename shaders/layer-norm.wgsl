// y[t] = (x[t] - mean) / sqrt(variance + EPS) * weight + bias. One workgroup per row.
//
// The variance is computed from x - mean in a second pass, because mean(x^2) - mean^2 cancels when the
// mean is large.

override LANES: u32;  // a power of two
override D: u32;  // row width, a multiple of 4
override EPS: f32;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;        // [T, D/4]
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;   // [D/4]
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;     // [D/4]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;  // [T, D/4]

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = (group.y * groups.x + group.x) * (D / 4u);
  if (start >= arrayLength(&y)) { return; }

  var sums = vec4f();
  for (var i = lane; i < D / 4u; i += LANES) { sums += x[start + i]; }
  let mean = workgroup_sum(lane, dot(sums, vec4f(1))) / f32(D);

  var squares = 0.0;
  for (var i = lane; i < D / 4u; i += LANES) {
    let v = x[start + i] - mean;
    squares += dot(v, v);
  }
  let scale = inverseSqrt(workgroup_sum(lane, squares) / f32(D) + EPS);
  for (var i = lane; i < D / 4u; i += LANES) {
    y[start + i] = (x[start + i] - mean) * scale * weight[i] + bias[i];
  }
}
