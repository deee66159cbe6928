// y[t, o] = epilogue(dot(x[t], W[o])) for many rows t, on GPUs. One workgroup computes a tile of ROW_TILE
// rows by 64 sums, each lane 8 rows by 4 sums. It stages 32 inputs at a time in workgroup memory,
// and loads the next ones meanwhile.
//
// Inputs are added in sections, and these in order. So the parts of a row may be computed by workgroups of
// their own, PARTS of them, with the same sums (sum-parts.wgsl).

const SUMS = 64u;
const DEPTH = 8u;            // inputs per step, in groups of four
override D: u32;             // input width, a multiple of 4
override FIRST: u32 = 0u;    // the output that the first row of W gives
override ROW_TILE: u32;      // 32 or 64
override SECTION: u32;       // groups of four inputs of a section, a multiple of DEPTH
override PARTS: u32 = 1u;    // 1, or one for each section
override LANES: u32 = ROW_TILE * 2u;
override WIDTH: u32 = select(SUMS, SUMS / 2u, GATED);  // outputs of a workgroup
override W_LOADS: u32 = DEPTH / 2u * SUMS / LANES;
const X_LOADS = DEPTH / 2u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;      // [T, D/4]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;  // [T, O], or [PARTS, T, rows of W]

// Neighbouring lanes store neighbouring groups of inputs of a row, and load neighbouring rows of a group.
// Both are spread over the banks of the memory where column t ^ i has row t of group i.
var<workgroup> x_tile: array<vec4f, DEPTH * ROW_TILE>;  // [DEPTH, ROW_TILE]
var<workgroup> w_tile: array<vec4f, DEPTH * SUMS>;   // [DEPTH, SUMS]

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let T = arrayLength(&x) / (D / 4u);
  let t0 = group.x * ROW_TILE;
  let first = group.y * WIDTH;
  let begin = group.z * SECTION;
  let end = select(min(begin + SECTION, D / 4u), D / 4u, PARTS == 1u);
  // Lane (across, down) computes sums across + 16j, j < 4, of rows 8 * down .. 8 * down + 7.
  let across = lane % 16u;
  let down = lane / 16u;
  var sums = array<vec4f, 8>();
  var totals = array<vec4f, 8>();  // of the sections before
  var xs: array<vec4f, 4>;
  var ws: array<mat2x4f, 4>;
  for (var n = 0u; n < X_LOADS; n++) { xs[n] = load_x(t0, begin, lane + n * LANES); }
  for (var n = 0u; n < W_LOADS; n++) { ws[n] = load_w(first, begin, lane + n * LANES); }
  for (var k = begin; k < end; k += DEPTH) {
    workgroupBarrier();
    for (var n = 0u; n < X_LOADS; n++) {
      let at = lane + n * LANES;
      let i = at % DEPTH;
      x_tile[i * ROW_TILE + ((at / DEPTH) ^ i)] = xs[n];
    }
    for (var n = 0u; n < W_LOADS; n++) {
      let at = lane + n * LANES;
      let i = at % (DEPTH / 2u) * 2u;
      let o = at / (DEPTH / 2u);
      w_tile[i * SUMS + (o ^ i)] = ws[n][0];
      w_tile[(i + 1u) * SUMS + (o ^ (i + 1u))] = ws[n][1];
    }
    workgroupBarrier();
    if (k + DEPTH < end) {
      for (var n = 0u; n < X_LOADS; n++) { xs[n] = load_x(t0, k + DEPTH, lane + n * LANES); }
      for (var n = 0u; n < W_LOADS; n++) { ws[n] = load_w(first, k + DEPTH, lane + n * LANES); }
    }
    for (var i = 0u; i < DEPTH; i++) {
      let at = i * SUMS + (across ^ i);
      let weights = mat4x4f(w_tile[at], w_tile[at + 16u], w_tile[at + 32u], w_tile[at + 48u]);
      for (var t = 0u; t < 8u; t++) { sums[t] += x_tile[i * ROW_TILE + ((down * 8u + t) ^ i)] * weights; }
    }
    if (PARTS == 1u && (k + DEPTH) % SECTION == 0u) {
      for (var t = 0u; t < 8u; t++) {
        totals[t] += sums[t];
        sums[t] = vec4f();
      }
    }
  }
  let O = arrayLength(&y) / (T * PARTS);
  for (var r = 0u; r < 8u; r++) {
    let t = t0 + down * 8u + r;
    if (t >= T) { return; }
    let row_sums = totals[r] + sums[r];
    for (var j = 0u; j < 4u; j++) {
      let n = across + 16u * j;
      let o = first + n % WIDTH;
      if (o >= outputs()) { continue; }
      if (PARTS > 1u) {
        y[(group.z * T + t) * O + FIRST + weight_row(first, n, SUMS)] = row_sums[j];
      } else if (n < WIDTH) {
        let at = t * O + FIRST + o;
        y[at] = epilogue(at, FIRST + o, row_sums[j], row_sums[(j + 2u) % 4u]);
      }
    }
  }
}

/// The n-th group of four inputs of the tile from group k on.
fn load_x(t0: u32, k: u32, n: u32) -> vec4f {
  let i = k + n % DEPTH;
  let last = arrayLength(&x) / (D / 4u) - 1u;
  if (i >= D / 4u) { return vec4f(); }
  return x[min(t0 + n / DEPTH, last) * (D / 4u) + i];
}

/// The n-th eight weights of the tile from group k on.
fn load_w(first: u32, k: u32, n: u32) -> mat2x4f {
  let i = k / 2u + n % (DEPTH / 2u);
  if (2u * i >= D / 4u) { return mat2x4f(); }
  var weights = weight8(weight_row(first, n / (DEPTH / 2u), SUMS), i);
  // The second half of the last eight inputs may be beyond the row.
  if (2u * i + 1u >= D / 4u) { weights[1] = vec4f(); }
  return weights;
}
