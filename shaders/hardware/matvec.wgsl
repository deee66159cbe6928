// y[t, o] = epilogue(dot(x[t], W[o])) for few rows t, on GPUs. ALONG lanes share a row of W, so that they
// read neighbouring units of 32 weights (units/*.wgsl), and each lane has up to four rows. Each
// weight is read once for all rows of x. Sums are added in an order that depends on the matrix alone.

const LANES = 64u;
override D: u32;           // input width, a multiple of 4
override FIRST: u32 = 0u;  // the output that the first row of W gives
override ROW_TILE: u32;    // 1, 2, 4 or 8
override ALONG: u32;       // lanes that share a row of W, a power of two, at most LANES
override ROWS: u32;        // rows of W of a lane: 1, 2 or 4
override SHARED: u32;      // of ALONG lanes, those whose sums share.wgsl adds; a power of two
override DOWN: u32 = LANES / ALONG;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;      // [T, D/4]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;  // [T, O]

var<workgroup> partial: array<f32, ROW_TILE * ROWS * (LANES / SHARED)>;  // [ROW_TILE, ROWS, LANES/SHARED]

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let first = (group.y * groups.x + group.x) * (DOWN * ROWS);
  if (first >= weight_rows()) { return; }
  let along = lane % ALONG;
  let down = lane / ALONG;
  let T = arrayLength(&x) / (D / 4u);
  let o = min(vec4u(first + down) + vec4u(0, 1, 2, 3) * DOWN, vec4u(weight_rows() - 1u));

  var sums = array<vec4f, 8>();  // of the rows of W, for each row of x
  for (var u = along; u < (D + 31u) / 32u; u += ALONG) {
    var units: array<Unit, 4>;
    for (var r = 0u; r < ROWS; r++) { units[r] = unit_of(o[r], u); }
    var products = array<vec4f, 8>();
    var totals = array<f32, 8>();  // of the inputs
    for (var part = 0u; part < 4u; part++) {
      let i = 4u * u + part;  // eight inputs
      if (D % 32u != 0u && 8u * i >= D) { break; }
      // The second half of the last eight inputs may be beyond the row, and weights there are undefined.
      let whole = D % 8u == 0u || i < D / 8u;
      var near = array<vec4f, 4>();
      var far = array<vec4f, 4>();
      for (var r = 0u; r < ROWS; r++) {
        let weights = eight_of(units[r], o[r], i);
        near[r] = weights[0];
        if (whole) { far[r] = weights[1]; }
      }
      for (var t = 0u; t < ROW_TILE; t++) {
        let at = min(t, T - 1u) * (D / 4u) + 2u * i;
        let low = x[at];
        var high = vec4f();
        if (whole) { high = x[at + 1u]; }
        if (HAS_LINES) { totals[t] += dot(low + high, vec4f(1)); }
        let a = low * LOW_FACTORS;
        let b = high * HIGH_FACTORS;
        for (var r = 0u; r < ROWS; r++) { products[t][r] += dot(a, near[r]) + dot(b, far[r]); }
      }
    }
    for (var r = 0u; r < ROWS; r++) {
      let line = line_of(o[r], u);
      for (var t = 0u; t < ROW_TILE; t++) {
        if (HAS_LINES) {
          sums[t][r] += line.x * products[t][r] + line.y * totals[t];
        } else {
          sums[t][r] += products[t][r];
        }
      }
    }
  }

  for (var t = 0u; t < ROW_TILE; t++) {
    for (var r = 0u; r < ROWS; r++) {
      let sum = shared_sum(sums[t][r]);
      if (lane % SHARED == 0u) { partial[(t * ROWS + r) * (LANES / SHARED) + lane / SHARED] = sum; }
    }
  }
  workgroupBarrier();
  let count = DOWN * ROWS;
  for (var n = lane; n < min(ROW_TILE, T) * count; n += LANES) {
    var sum = 0.0;
    for (var i = 0u; i < ALONG / SHARED; i++) { sum += partial[n * (ALONG / SHARED) + i]; }
    let t = n / count;
    let row = first + n % count;
    let at = t * (arrayLength(&y) / T) + FIRST + row;
    if (row < weight_rows()) { y[at] = epilogue(at, FIRST + row, sum); }
  }
}
