// q = round(w / s), s = max |w| / 127 over a block of 32. One lane packs one block; what the last
// one of a row lacks is 0.

@group(0) @binding(0) var<storage, read> rows: vec2u;               // first row, count
@group(0) @binding(1) var<storage, read_write> packed: array<u32>;  // [O, 8 * ceil(D/32)] 4 x int8
@group(0) @binding(2) var<storage, read_write> scales: array<f32>;  // [O, ceil(D/32)]

const LANES = 64u;
const BLOCK = 32u;
override D: u32;  // a multiple of 4
override BLOCKS: u32 = (D + BLOCK - 1u) / BLOCK;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let unit = id.x;
  let row = unit / BLOCKS;
  if (row >= rows.y) { return; }
  let begin = unit % BLOCKS * (BLOCK / 4u);
  let count = min(BLOCK / 4u, D / 4u - begin);
  var largest = vec4f();
  for (var i = 0u; i < count; i++) { largest = max(largest, abs(weight4(row, begin + i))); }
  let limit = max(max(largest.x, largest.y), max(largest.z, largest.w));
  let block = rows.x * BLOCKS + unit;
  scales[block] = limit * (1.0 / 127.0);
  let inverse = select(0.0, 127.0 / limit, limit > 0.0);
  for (var i = 0u; i < BLOCK / 4u; i++) {
    var word = 0u;
    if (i < count) { word = pack4xI8(vec4i(round(weight4(row, begin + i) * inverse))); }
    packed[block * (BLOCK / 4u) + i] = word;
  }
}
