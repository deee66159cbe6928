// Packs weights w as s q + b (affine.wgsl, with bfloat16). One lane packs one group. Codes beyond the end
// of a row are 0.
//
// s and b are searched: each of four scales, some of them so small that the largest weights are cut, gives
// codes q; the codes give the line s q + b with the least squared error; and the line that leaves the least
// error is kept. Its sums are integers, so all GPUs choose the same. b then makes up for what is rounded
// off s, and the codes for what is rounded off both.
//
// Codes of 8 bits gain nothing by a search. b = min w is rounded down then, and s = (max w - b) / 255 up, so
// that codes reach every weight.

@group(0) @binding(0) var<storage, read> rows: vec2u;               // first row to write, number of rows
@group(0) @binding(1) var<storage, read_write> packed: array<u32>;  // [O, ceil(D * BITS / 32)]
@group(0) @binding(2) var<storage, read_write> pairs: array<u32>;   // [O, ceil(D/GROUP)] s and b

const LANES = 64u;
override D: u32;        // a multiple of 4
override BITS: u32;     // 4, 6 or 8
override GROUP: u32;    // 32 or 64
override IS_F16: bool;  // false
override GROUPS: u32 = (D + GROUP - 1u) / GROUP;
override WORDS: u32 = (D * BITS + 31u) / 32u;
override MOST: u32 = (1u << BITS) - 1u;
/// Weights are counted in steps of (max w - min w) / FINE: at most 64 * 64 * FINE * MOST is below 2^31.
override FINE: u32 = MOST << (12u - BITS);
/// Codes that the range of the weights is cut into, beyond MOST.
const OFFSETS = vec4f(-0.9, -0.4, 0.1, 0.6);

struct Affine { scale_bits: u32, bias_bits: u32 }  // in the upper halves

var<private> steps: array<vec4u, 16>;  // the weights of the group

fn least(v: vec4f) -> f32 { return min(min(v.x, v.y), min(v.z, v.w)); }
fn most(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn sum(v: vec4u) -> u32 { return v.x + v.y + v.z + v.w; }

/// The nearest bfloat16, ties to even.
fn nearest(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return (bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u;
}

/// Among floats of one sign, a larger magnitude has larger bits.
fn covering(low: f32, high: f32) -> Affine {
  let bias_bits = (bitcast<u32>(low) + select(0u, 0xffffu, low < 0.0)) & 0xffff0000u;
  let scale = (high - bitcast<f32>(bias_bits)) * (1.0 / f32(MOST));
  return Affine((bitcast<u32>(scale) + 0xffffu) & 0xffff0000u, bias_bits);
}

fn searched(row: u32, begin: u32, fours: u32, low: f32, high: f32) -> Affine {
  let range = high - low;
  let unit = range * (1.0 / f32(FINE));
  let inverse = select(0.0, f32(FINE) / range, range >= 0x1p-100f);
  var step_sums = vec4u();
  for (var i = 0u; i < fours; i++) {
    steps[i] = vec4u(round((weight4(row, begin + i) - low) * inverse));
    step_sums += steps[i];
  }
  let step_sum = sum(step_sums);
  let count = 4u * fours;
  let factors = vec4u(round((f32(MOST) + OFFSETS) * (1048576.0 / f32(FINE))));
  var q_sums: vec4u;    // of the codes of each scale
  var squares: vec4u;
  var products: vec4u;
  for (var i = 0u; i < count; i++) {
    let step = steps[i / 4u][i % 4u];
    let q = min((step * factors + 524288u) >> vec4u(20u), vec4u(MOST));
    q_sums += q;
    squares += q * q;
    products += step * q;
  }
  // s is `covariance` / `variance` units, and covariance^2 / variance is what the line explains of the
  // steps' variance. A shift keeps 24 bits, which f32 holds.
  let covariances = vec4f((count * products - step_sum * q_sums) >> vec4u(7u));
  let variances = vec4f(count * squares - q_sums * q_sums);
  var covariance = 0.0;
  var variance = 1.0;
  var scale = range * (1.0 / f32(MOST));
  var code_sum = 0u;
  for (var k = 0u; k < 4u; k++) {
    let explained = covariances[k] * covariances[k] * variance;
    if (explained <= covariance * covariance * variances[k]) { continue; }
    covariance = covariances[k];
    variance = variances[k];
    scale = unit * (covariance / variance * 128.0);
    code_sum = q_sums[k];
  }
  let scale_bits = nearest(scale);
  let rest = unit * f32(step_sum) - bitcast<f32>(scale_bits) * f32(code_sum);
  return Affine(scale_bits, nearest(low + rest * (1.0 / f32(count))));
}

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let unit = id.x;
  let row = unit / GROUPS;
  if (row >= rows.y) { return; }
  let begin = unit % GROUPS * (GROUP / 4u);
  let fours = min(GROUP / 4u, D / 4u - begin);
  var low = weight4(row, begin);
  var high = low;
  for (var i = 1u; i < fours; i++) {
    let weights = weight4(row, begin + i);
    low = min(low, weights);
    high = max(high, weights);
  }
  var pair: Affine;
  if (BITS == 8u) {
    pair = covering(least(low), most(high));
  } else {
    pair = searched(row, begin, fours, least(low), most(high));
  }
  pairs[rows.x * GROUPS + unit] = (pair.scale_bits >> 16u) | pair.bias_bits;
  let scale = bitcast<f32>(pair.scale_bits);
  let bias = bitcast<f32>(pair.bias_bits);
  // A subnormal scale has no finite inverse, or is read as 0.
  let inverse = select(0.0, 1.0 / scale, scale >= 0x1p-126f);

  var word = (rows.x + row) * WORDS + begin * 4u * BITS / 32u;
  var bits = 0u;
  var filled = 0u;
  for (var i = 0u; i < fours; i++) {
    let codes = clamp(round((weight4(row, begin + i) - bias) * inverse), vec4f(), vec4f(f32(MOST)));
    let q = vec4u(codes) << (vec4u(0u, 1u, 2u, 3u) * BITS);
    let four = q.x | q.y | q.z | q.w;
    bits |= four << filled;
    filled += 4u * BITS;
    if (filled < 32u) { continue; }
    packed[word] = bits;
    word++;
    filled -= 32u;
    bits = 0u;
    if (filled > 0u) { bits = four >> (4u * BITS - filled); }
  }
  if (filled > 0u) { packed[word] = bits; }
}
