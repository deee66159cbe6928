// q = round((w - b) / s), where b = min w and s = (max w - min w) / 15 over a block. s and b are rounded
// to f16 first, so that q makes up for their rounding. One lane packs one block. Codes beyond the end
// of a row are 0.

@group(0) @binding(0) var<storage, read> rows: vec2u;               // first row to write, number of rows
@group(0) @binding(1) var<storage, read_write> packed: array<u32>;  // [O, 4 * ceil(D/32)] 8 x 4 bits
@group(0) @binding(2) var<storage, read_write> affine: array<u32>;  // [O, ceil(D/BLOCK)] s and b, f16

const LANES = 64u;
override D: u32;      // a multiple of 4
override BLOCK: u32;  // a multiple of 32
override BLOCKS: u32 = (D + BLOCK - 1u) / BLOCK;
override WORDS: u32 = (D + 31u) / 32u * 4u;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let unit = id.x;
  let row = unit / BLOCKS;
  if (row >= rows.y) { return; }
  let begin = unit % BLOCKS * (BLOCK / 4u);
  let end = min(begin + BLOCK / 4u, D / 4u);
  var low = weight4(row, begin);
  var high = low;
  for (var i = begin + 1u; i < end; i++) {
    let weights = weight4(row, i);
    low = min(low, weights);
    high = max(high, weights);
  }
  let least = min(min(low.x, low.y), min(low.z, low.w));
  let most = max(max(high.x, high.y), max(high.z, high.w));
  let pair = pack2x16float(vec2f((most - least) * (1.0 / 15.0), least));
  affine[rows.x * BLOCKS + unit] = pair;
  let rounded = unpack2x16float(pair);
  let inverse = select(0.0, 1.0 / rounded.x, rounded.x > 0.0);

  let first_word = (rows.x + row) * WORDS;
  for (var word = begin / 2u; word < min((begin + BLOCK / 4u) / 2u, WORDS); word++) {
    var bits = 0u;
    for (var i = word * 2u; i < min(word * 2u + 2u, end); i++) {
      let q = vec4u(clamp(round((weight4(row, i) - rounded.y) * inverse), vec4f(0.0), vec4f(15.0)));
      bits |= (q.x | (q.y << 4u) | (q.z << 8u) | (q.w << 12u)) << (i % 2u * 16u);
    }
    packed[first_word + word] = bits;
  }
}
