// y[t, o] = epilogue(sum of parts[p, t, o] over p), in order.

const LANES = 64u;
override O: u32;      // outputs of the whole matrix
override PARTS: u32;

@group(0) @binding(0) var<storage, read> parts: array<f32>;    // [PARTS, T, rows of the matrix]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;  // [T, O]

fn weight_rows() -> u32 { return O * select(1u, 2u, GATED); }

/// The sum of row t and row o of the matrix.
fn whole(t: u32, o: u32) -> f32 {
  let rows = weight_rows();
  var sum = 0.0;
  for (var p = 0u; p < PARTS; p++) { sum += parts[(p * (arrayLength(&y) / O) + t) * rows + o]; }
  return sum;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let at = (group.y * groups.x + group.x) * LANES + lane;
  if (at >= arrayLength(&y)) { return; }
  let t = at / O;
  let o = at % O;
  var up = 0.0;
  if (GATED) { up = whole(t, O + o); }
  y[at] = epilogue(at, o, whole(t, o), up);
}
