// y[t, o] = epilogue(dot(x[t], W[o])) for few rows t, on GPUs. ALONG lanes share a row of W, so that they
// read neighbouring units of 32 weights (units/*.wgsl), and each lane has up to four rows. Each
// weight is read once for all rows of x. Sums are added in an order that depends on the matrix alone.
// norm-input.wgsl may norm x, and norm-output.wgsl y.

const LANES = 64u;
override D: u32;           // input width, a multiple of 4
override FIRST: u32 = 0u;  // the output that the first row of W gives
override ROW_TILE: u32;    // 1, 2, 4 or 8
override ALONG: u32;       // lanes that share a row of W, a power of two, at most LANES
override ROWS: u32;        // rows of W of a lane: 1, 2 or 4
override SHARED: u32;      // of ALONG lanes, those whose sums share.wgsl adds; a power of two
override DOWN: u32 = LANES / ALONG;
override COUNT: u32 = DOWN * ROWS;                      // rows of W of a workgroup
override WIDTH: u32 = COUNT / select(1u, 2u, GATED);    // its outputs

@group(0) @binding(0) var<storage, read> x: array<vec4f>;      // [T, D/4]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;  // [T, O]

var<workgroup> partial: array<f32, ROW_TILE * ROWS * (LANES / SHARED)>;  // [ROW_TILE, ROWS, LANES/SHARED]
var<workgroup> partial_squares: array<f32, ROW_TILE * (LANES / SHARED)>;  // [ROW_TILE, LANES/SHARED]

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let first = (group.y * groups.x + group.x) * WIDTH;
  if (first >= outputs()) { return; }
  let along = lane % ALONG;
  let down = lane / ALONG;
  let T = arrayLength(&x) / (D / 4u);
  var o = vec4u();
  for (var r = 0u; r < ROWS; r++) { o[r] = weight_row(first, down + r * DOWN, COUNT); }

  var sums = array<vec4f, 8>();  // of the rows of W, for each row of x
  var squares = array<f32, 8>();
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
        var low = x[at];
        var high = vec4f();
        if (whole) { high = x[at + 1u]; }
        if (NORMS) {
          squares[t] += dot(low, low) + dot(high, high);
          low = weighted(low, 2u * i);
          if (whole) { high = weighted(high, 2u * i + 1u); }
        }
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
    if (NORMS) {
      let sum = shared_sum(squares[t]);
      if (lane % SHARED == 0u) { partial_squares[t * (LANES / SHARED) + lane / SHARED] = sum; }
    }
  }
  workgroupBarrier();
  for (var n = lane; n < min(ROW_TILE, T) * WIDTH; n += LANES) {
    let t = n / WIDTH;
    let row = t * COUNT + n % WIDTH;
    var scale = 1.0;
    if (NORMS) {
      var sum = 0.0;
      for (var i = 0u; i < ALONG / SHARED; i++) { sum += partial_squares[t * (LANES / SHARED) + i]; }
      scale = norm_scale(sum);
    }
    var up = 0.0;
    if (GATED) { up = scale * whole_sum(row + WIDTH); }
    let o = FIRST + first + n % WIDTH;
    let at = t * (arrayLength(&y) / T) + o;
    if (o - FIRST < outputs()) { store_output(at, epilogue(at, o, scale * whole_sum(row), up)); }
  }
  end_outputs(lane, (outputs() + WIDTH - 1u) / WIDTH);
}

/// The sum of a row of x and a row of W, from those of the lanes that share the row.
fn whole_sum(row: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < ALONG / SHARED; i++) { sum += partial[row * (ALONG / SHARED) + i]; }
  return sum;
}
