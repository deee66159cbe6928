// q = round((w - b) / s), where b = min w and s = (max w - b) / 511 over a block of 32 weights. b is
// rounded down to bf16, and s up, so that q can represent every weight of the block. q8.wgsl says how
// the codes are laid out. One lane packs one block. Codes beyond the end of a row are 0.

@group(0) @binding(0) var<storage, read> rows: vec2u;                 // first row to write, number of rows
@group(0) @binding(1) var<storage, read_write> packed: array<u32>;    // [O, 8 * ceil(D/32)] code words
@group(0) @binding(2) var<storage, read_write> blocks: array<vec2u>;  // [O, ceil(D/32)] nibble word; s, b in bf16

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
  // Among floats of one sign, a larger magnitude has larger bits.
  let bias_bits = (bitcast<u32>(least) + select(0u, 0xffffu, least < 0.0)) & 0xffff0000u;
  let bias = bitcast<f32>(bias_bits);
  let scale_bits = (bitcast<u32>((most - bias) * (1.0 / 511.0)) + 0xffffu) & 0xffff0000u;
  let scale = bitcast<f32>(scale_bits);
  // A subnormal scale has no finite inverse, or is read as 0.
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
