// Packs rows as 32-bit floats. One lane packs four weights.

@group(0) @binding(0) var<storage, read> rows: vec2u;                // first row to write, number of rows
@group(0) @binding(1) var<storage, read_write> packed: array<vec4f>;  // [O, D/4]

const LANES = 64u;
override D: u32;  // a multiple of 4

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let unit = id.x;
  let row = unit / (D / 4u);
  if (row >= rows.y) { return; }
  packed[rows.x * (D / 4u) + unit] = weight4(row, unit % (D / 4u));
}
