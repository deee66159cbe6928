// y[t, o] = epilogue(sum of parts[p, t, o] over p), in order.

const LANES = 64u;
override O: u32;      // of the whole matrix
override PARTS: u32;

@group(0) @binding(0) var<storage, read> parts: array<f32>;    // [PARTS, T, O]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;  // [T, O]

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let at = (group.y * groups.x + group.x) * LANES + lane;
  if (at >= arrayLength(&y)) { return; }
  var sum = 0.0;
  for (var p = 0u; p < PARTS; p++) { sum += parts[p * arrayLength(&y) + at]; }
  y[at] = epilogue(at, at % O, sum);
}
