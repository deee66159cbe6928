// y[first + patch, (channel, frame, row, column)] = (byte - mean) / std for the patches of one tile of an
// image, or y[first + patch, (frame, row, column, channel)]. Patches are ordered in blocks of
// merge x merge, row by row, and row by row within a block. Pixels beyond the image are `background`.
// One lane per pixel.

const LANES = 64u;

struct Tile {
  width: u32,       // width and height of the image
  height: u32,
  x: i32,           // position of the tile in the image
  y: i32,
  columns: u32,     // patches across, P = rows * columns; both are multiples of merge
  rows: u32,
  patch_size: u32,  // p
  merge: u32,
  frames: u32,      // copies of the pixels in a patch
  first: u32,       // row of y that receives the first patch
  background: u32,  // RGBA8
  channels_last: u32,
}

@group(0) @binding(0) var<storage, read> tile: Tile;
@group(0) @binding(1) var<storage, read> scale: array<vec4f>;  // [2]: mean and std of bytes
@group(0) @binding(2) var<storage, read> image: array<u32>;  // [H, W] RGBA8
@group(0) @binding(3) var<storage, read_write> y: array<f32>;  // [first + P or more, 3 * frames * p * p]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  let pixels = tile.patch_size * tile.patch_size;
  if (i >= tile.rows * tile.columns * pixels) { return; }

  let index = i / pixels;
  let corner = patch_position(index) * tile.patch_size;
  // Positions left of the image or above it wrap to numbers beyond any width and height.
  let row = u32(tile.y) + corner.y + i / tile.patch_size % tile.patch_size;
  let column = u32(tile.x) + corner.x + i % tile.patch_size;
  var pixel = tile.background;
  if (row < tile.height && column < tile.width) { pixel = image[row * tile.width + column]; }
  let bytes = (vec3u(pixel) >> vec3u(0u, 8u, 16u)) & vec3u(255u);
  let values = (vec3f(bytes) - scale[0].xyz) / scale[1].xyz;
  let patch_start = (tile.first + index) * 3u * tile.frames * pixels;
  let strides = vec3u(tile.frames * pixels, pixels, 1u);  // of channel, frame, pixel
  let s = select(strides, vec3u(1u, 3u * pixels, 3u), tile.channels_last != 0u);
  for (var channel = 0u; channel < 3u; channel++) {
    for (var frame = 0u; frame < tile.frames; frame++) {
      y[patch_start + dot(vec3u(channel, frame, i % pixels), s)] = values[channel];
    }
  }
}

/// Column and row of a patch in the tile.
fn patch_position(index: u32) -> vec2u {
  let merge = tile.merge;
  let block = index / (merge * merge);
  let blocks_across = tile.columns / merge;
  let inside = index % (merge * merge);
  return vec2u(block % blocks_across, block / blocks_across) * merge
    + vec2u(inside % merge, inside / merge);
}
