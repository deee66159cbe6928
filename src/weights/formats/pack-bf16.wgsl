// Packs rows as bfloat16, rounded to nearest, ties to even. One lane packs four weights.

@group(0) @binding(0) var<storage, read> rows: vec2u;                // first row to write, number of rows
@group(0) @binding(1) var<storage, read_write> packed: array<vec2u>;  // [O, D/4] 4 x bf16

const LANES = 64u;
override D: u32;  // a multiple of 4

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let unit = id.x;
  let row = unit / (D / 4u);
  if (row >= rows.y) { return; }
  let bits = bitcast<vec4u>(weight4(row, unit % (D / 4u)));
  let halves = (bits + vec4u(0x7fffu) + ((bits >> vec4u(16u)) & vec4u(1u))) >> vec4u(16u);
  packed[rows.x * (D / 4u) + unit] = halves.xz | (halves.yw << vec2u(16u));
}
