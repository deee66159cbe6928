// y[t, o] = epilogue(dot(x[t], W[o])) on software adapters. All operands are loaded into registers,
// because workgroup memory and barriers cost more there than they save. One lane computes ROW_TILE
// rows by 4 sums.

const LANES = 16u;
override D: u32;           // input width, a multiple of 4
override FIRST: u32 = 0u;  // the output that the first row of W gives
override ROW_TILE: u32;    // 1, 2, 4, 8 or 16
override WIDTH: u32 = select(4u, 2u, GATED);  // outputs of a lane

@group(0) @binding(0) var<storage, read> x: array<vec4f>;      // [T, D/4]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;  // [T, O]

/// Sums of up to 16 rows of x (columns) by 4 rows of W.
struct Sums { a: mat4x4f, b: mat4x4f, c: mat4x4f, d: mat4x4f }

fn x_row(t: u32, i: u32) -> vec4f {
  return x[min(t, arrayLength(&x) / (D / 4u) - 1u) * (D / 4u) + i];
}

/// The products of 4 rows of x and 4 rows of W, over 4 inputs.
fn products(xs: mat4x4f, ws: mat4x4f) -> mat4x4f {
  if (ROW_TILE == 1u) { return mat4x4f(xs[0] * ws, vec4f(), vec4f(), vec4f()); }
  if (ROW_TILE == 2u) { return mat4x4f(xs[0] * ws, xs[1] * ws, vec4f(), vec4f()); }
  return mat4x4f(xs[0] * ws, xs[1] * ws, xs[2] * ws, xs[3] * ws);
}

fn accumulate(sums: Sums, ws: mat4x4f, t: u32, i: u32, lane: u32) -> Sums {
  var next = sums;
  next.a += products(x_rows(t, i, lane), ws);
  if (ROW_TILE > 4u) { next.b += products(x_rows(t + 4u, i, lane), ws); }
  if (ROW_TILE > 8u) {
    next.c += products(x_rows(t + 8u, i, lane), ws);
    next.d += products(x_rows(t + 12u, i, lane), ws);
  }
  return next;
}

fn store(t: u32, first: u32, sums: vec4f) {
  let T = arrayLength(&x) / (D / 4u);
  if (t >= T) { return; }
  let O = arrayLength(&y) / T;
  for (var j = 0u; j < min(WIDTH, outputs() - first); j++) {
    let o = FIRST + first + j;
    y[t * O + o] = epilogue(t * O + o, o, sums[j], sums[(j + 2u) % 4u]);
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let t = group.x * ROW_TILE;
  let first = (group.y * LANES + lane) * WIDTH;
  // Lanes beyond the last output repeat it: other lanes may need the rows of x that they load.
  let o = vec4u(weight_row(first, 0u, 4u), weight_row(first, 1u, 4u),
                weight_row(first, 2u, 4u), weight_row(first, 3u, 4u));
  var sums = Sums();
  for (var i = 0u; i < (D + 4u) / 8u; i++) {
    let w0 = weight8(o.x, i);
    let w1 = weight8(o.y, i);
    let w2 = weight8(o.z, i);
    let w3 = weight8(o.w, i);
    sums = accumulate(sums, mat4x4f(w0[0], w1[0], w2[0], w3[0]), t, 2u * i, lane);
    if (D % 8u != 0u && i == D / 8u) { break; }
    sums = accumulate(sums, mat4x4f(w0[1], w1[1], w2[1], w3[1]), t, 2u * i + 1u, lane);
  }
  if (first >= outputs()) { return; }
  // In a loop, since each copy of the epilogue takes time to compile.
  if (ROW_TILE == 1u) {
    store(t, first, sums.a[0]);
    return;
  }
  var tile = array<mat4x4f, 4>(sums.a, sums.b, sums.c, sums.d);
  for (var r = 0u; r < ROW_TILE; r++) { store(t + r, first, tile[r / 4u][r % 4u]); }
}
