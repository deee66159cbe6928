// q = round((w - b) / s), b = min w, s = (max w - b) / 511 over a block of 32; b is rounded down to
// bf16, s up, so that no weight lies outside what q can tell. Word j of a block gets weights 4j to
// 4j+2 and the upper five bits of 4j+3, whose lower four become nibble j of the block's own word. One
// lane packs one block; what the last one of a row lacks is 0.

@group(0) @binding(0) var<storage, read> rows: vec2u;                 // first row, count
@group(0) @binding(1) var<storage, read_write> packed: array<u32>;    // [O, 8 * ceil(D/32)] 3 x 9 + 5 bits
@group(0) @binding(2) var<storage, read_write> blocks: array<vec2u>;  // [O, ceil(D/32)] 8 nibbles; s, b: bf16

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
  var low = weight4(row, begin);
  var high = low;
  for (var i = 1u; i < count; i++) {
    let weights = weight4(row, begin + i);
    low = min(low, weights);
    high = max(high, weights);
  }
  let least = min(min(low.x, low.y), min(low.z, low.w));
  let most = max(max(high.x, high.y), max(high.z, high.w));
  // Floats of one sign are ordered as their bits are.
  let bias_bits = (bitcast<u32>(least) + select(0u, 0xffffu, least < 0.0)) & 0xffff0000u;
  let bias = bitcast<f32>(bias_bits);
  let scale_bits = (bitcast<u32>((most - bias) * (1.0 / 511.0)) + 0xffffu) & 0xffff0000u;
  let scale = bitcast<f32>(scale_bits);
  // What is less has no finite inverse, or is taken for 0.
  let inverse = select(0.0, 1.0 / scale, scale >= 0x1p-126f);

  let block = rows.x * BLOCKS + unit;
  var nibbles = 0u;
  for (var i = 0u; i < BLOCK / 4u; i++) {
    var q = vec4u();
    if (i < count) {
      q = vec4u(min(round((weight4(row, begin + i) - bias) * inverse), vec4f(511.0)));
    }
    packed[block * (BLOCK / 4u) + i] = q.x | (q.y << 9u) | (q.z << 18u) | ((q.w >> 4u) << 27u);
    nibbles |= (q.w & 15u) << (4u * i);
  }
  blocks[block] = vec2u(nibbles, (scale_bits >> 16u) | bias_bits);
}
