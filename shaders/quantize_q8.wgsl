// q = round((w - b) * 255.5 / h), b = min w, h = (max w - b) / 2 over a block of 32; both are rounded
// to f16 first, so that q makes up for their rounding. Half the range is what f16 holds for whatever
// w it holds. One lane packs one block; what the last one of a row lacks is 0.

@group(0) @binding(0) var<storage, read> rows: vec2u;                // first row, count
@group(0) @binding(1) var<storage, read_write> packed: array<u32>;   // [O, 8 * ceil(D/32)] 4 x upper bits
@group(0) @binding(2) var<storage, read_write> blocks: array<vec2u>;  // [O, ceil(D/32)] lowest bits; h, b: f16

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
  let most = max(max(high.x, high.y), max(high.z, high.w));
  let least = min(min(low.x, low.y), min(low.z, low.w));
  // As f16 it may lie above all of a block's weights.
  let bias = unpack2x16float(pack2x16float(vec2f(least))).x;
  let pair = pack2x16float(vec2f(max(0.5 * most - 0.5 * bias, 0.0), bias));
  let half = unpack2x16float(pair).x;
  let inverse = select(0.0, 255.5 / half, half > 0.0);

  let block = rows.x * BLOCKS + unit;
  var lowest = 0u;
  for (var i = 0u; i < BLOCK / 4u; i++) {
    var upper = 0u;
    if (i < count) {
      let steps = (weight4(row, begin + i) - bias) * inverse;
      let q = vec4u(clamp(round(steps), vec4f(0.0), vec4f(511.0)));
      upper = pack4xU8(q >> vec4u(1u));
      let bits = (q & vec4u(1u)) << vec4u(0u, 1u, 2u, 3u);
      lowest |= (bits.x | bits.y | bits.z | bits.w) << (4u * i);
    }
    packed[block * (BLOCK / 4u) + i] = upper;
  }
  blocks[block] = vec2u(lowest, pair);
}
