// y[first + patch, (channel, row, column)] = (byte - mean) / std, for the patches of one tile of a
// picture, row by row. One lane a pixel.

const LANES = 64u;

struct Tile {
  stride: u32,      // width of the picture
  x: u32,           // where the tile lies in it
  y: u32,
  columns: u32,     // patches across, P = rows * columns
  rows: u32,
  patch_size: u32,  // p
  first: u32,       // row of y for the first patch
}

@group(0) @binding(0) var<storage, read> tile: Tile;
@group(0) @binding(1) var<storage, read> scale: array<vec4f>;  // [2] mean and std of bytes by channel, and padding
@group(0) @binding(2) var<storage, read> picture: array<u32>;  // [H, W] RGBA8
@group(0) @binding(3) var<storage, read_write> y: array<f32>;  // [first + P or more, 3 * p * p]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  let p = tile.patch_size;
  if (i >= tile.rows * tile.columns * p * p) { return; }

  let index = i / (p * p);
  let row = tile.y + index / tile.columns * p + i / p % p;
  let column = tile.x + index % tile.columns * p + i % p;
  let bytes = (vec3u(picture[row * tile.stride + column]) >> vec3u(0u, 8u, 16u)) & vec3u(255u);
  let values = (vec3f(bytes) - scale[0].xyz) / scale[1].xyz;
  let at = (tile.first + index) * 3u * p * p + i % (p * p);
  y[at] = values.r;
  y[at + p * p] = values.g;
  y[at + 2u * p * p] = values.b;
}
