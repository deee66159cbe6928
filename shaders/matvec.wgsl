// y[t, o] = epilogue(dot(x[t], W[o])) for few rows t. One workgroup computes 4 outputs of up to 8 rows.
// Its lanes share the inputs, and each weight is read once for all rows.

const LANES = 64u;
override D: u32;           // input width, a multiple of 4
override FIRST: u32 = 0u;  // the output that the first row of W gives
override ROW_TILE: u32;    // 1, 2, 4 or 8

@group(0) @binding(0) var<storage, read> x: array<vec4f>;      // [T, D/4]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;  // [T, O]

var<workgroup> partial: array<vec4f, ROW_TILE * LANES>;  // [ROW_TILE, LANES], 4 outputs each

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let row = (group.y * groups.x + group.x) * 4u;
  if (row >= weight_rows()) { return; }
  let o = min(vec4u(row, row + 1u, row + 2u, row + 3u), vec4u(weight_rows() - 1u));
  let T = arrayLength(&x) / (D / 4u);
  var sums = array<vec4f, 8>();
  for (var i = lane; i < (D + 4u) / 8u; i += LANES) {
    let w0 = weight8(o.x, i);
    let w1 = weight8(o.y, i);
    let w2 = weight8(o.z, i);
    let w3 = weight8(o.w, i);
    let near = mat4x4f(w0[0], w1[0], w2[0], w3[0]);
    let far = mat4x4f(w0[1], w1[1], w2[1], w3[1]);
    for (var t = 0u; t < ROW_TILE; t++) {
      let at = min(t, T - 1u) * (D / 4u) + 2u * i;
      sums[t] += x[at] * near;
      if (D % 8u == 0u || i < D / 8u) { sums[t] += x[at + 1u] * far; }
    }
  }
  for (var t = 0u; t < ROW_TILE; t++) { partial[t * LANES + lane] = sums[t]; }
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      for (var t = 0u; t < ROW_TILE; t++) {
        partial[t * LANES + lane] += partial[t * LANES + lane + half];
      }
    }
  }
  workgroupBarrier();
  let t = lane / 4u;
  if (t < min(ROW_TILE, T) && row + lane % 4u < weight_rows()) {
    let column = FIRST + row + lane % 4u;
    let at = t * (arrayLength(&y) / T) + column;
    y[at] = epilogue(at, column, partial[t * LANES][lane % 4u]);
  }
}
