// y[t, o] = epilogue(dot(x[t], W[o])) for many rows t. One workgroup computes a tile of ROW_TILE rows
// by 64 sums, each lane 8 rows by 4 sums. It stages 32 inputs at a time in workgroup memory, so
// that weights are decoded once for all rows of the tile.

const SUMS = 64u;
const DEPTH = 8u;          // inputs per step, in groups of four
override D: u32;           // input width, a multiple of 4
override FIRST: u32 = 0u;  // the output that the first row of W gives
override ROW_TILE: u32;    // 32 or 64
override LANES: u32 = ROW_TILE * 2u;
override WIDTH: u32 = select(SUMS, SUMS / 2u, GATED);  // outputs of a workgroup

@group(0) @binding(0) var<storage, read> x: array<vec4f>;      // [T, D/4]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;  // [T, O]

var<workgroup> x_tile: array<vec4f, DEPTH * ROW_TILE>;  // [DEPTH, ROW_TILE]
var<workgroup> w_tile: array<vec4f, DEPTH * SUMS>;      // [DEPTH, SUMS]

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let T = arrayLength(&x) / (D / 4u);
  let t0 = group.x * ROW_TILE;
  let first = group.y * WIDTH;
  // Lane (across, down) computes sums across + 16j, j < 4, of rows 8 * down .. 8 * down + 7.
  let across = lane % 16u;
  let down = lane / 16u;
  var sums = array<vec4f, 8>();
  for (var k = 0u; k < D / 4u; k += DEPTH) {
    workgroupBarrier();
    // Neighbouring lanes read neighbouring inputs of a row.
    for (var n = lane; n < DEPTH * ROW_TILE; n += LANES) {
      let i = k + n % DEPTH;
      let t = n / DEPTH;
      var value = vec4f();
      if (i < D / 4u) { value = x[min(t0 + t, T - 1u) * (D / 4u) + i]; }
      x_tile[n % DEPTH * ROW_TILE + t] = value;
    }
    for (var n = lane; n < DEPTH / 2u * SUMS; n += LANES) {
      let i = n % (DEPTH / 2u);
      let o = n / (DEPTH / 2u);
      var weights = mat2x4f();
      if (k + 2u * i < D / 4u) { weights = weight8(weight_row(first, o, SUMS), k / 2u + i); }
      w_tile[2u * i * SUMS + o] = weights[0];
      // The second half of the last eight inputs may be beyond the row.
      if (k + 2u * i + 1u >= D / 4u) { weights[1] = vec4f(); }
      w_tile[(2u * i + 1u) * SUMS + o] = weights[1];
    }
    workgroupBarrier();
    for (var i = 0u; i < DEPTH; i++) {
      let at = i * SUMS + across;
      let ws = mat4x4f(w_tile[at], w_tile[at + 16u], w_tile[at + 32u], w_tile[at + 48u]);
      for (var t = 0u; t < 8u; t++) { sums[t] += x_tile[i * ROW_TILE + down * 8u + t] * ws; }
    }
  }
  let O = arrayLength(&y) / T;
  for (var r = 0u; r < 8u; r++) {
    let t = t0 + down * 8u + r;
    if (t >= T) { return; }
    for (var j = 0u; j < WIDTH / 16u; j++) {
      let o = first + across + 16u * j;
      let at = t * O + FIRST + o;
      if (o < outputs()) {
        y[at] = epilogue(at, FIRST + o, sums[r][j], sums[r][(j + 2u) % 4u]);
      }
    }
  }
}
