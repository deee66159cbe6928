// y[t] = SCALE * table[token], or images[token - V] where token >= V. One workgroup per row.
//
// A table too large for one binding comes in slices, with one dispatch each. A dispatch writes the rows
// whose token is in its slice. The first dispatch also writes the image rows.

const LANES = 64u;
override D: u32;           // row width, a multiple of 4
override V: u32;           // rows of the whole table
override FIRST: u32;       // first row of the slice
override SLICE_ROWS: u32;  // rows of the slice
override SCALE: f32;

@group(0) @binding(0) var<storage, read> rows: array<Row>;       // [T]
@group(0) @binding(1) var<storage, read> images: array<vec4f>;   // [N, D/4]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;  // [T, D/4]

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let t = group.y * groups.x + group.x;
  if (t >= arrayLength(&rows)) { return; }
  let token = rows[t].token;
  let start = t * (D / 4u);

  if (token >= FIRST && token - FIRST < SLICE_ROWS) {
    for (var i = lane; i < D / 4u; i += LANES) {
      y[start + i] = SCALE * weight4(token - FIRST, i);
    }
  } else if (token >= V && FIRST == 0u) {
    for (var i = lane; i < D / 4u; i += LANES) { y[start + i] = images[(token - V) * (D / 4u) + i]; }
  }
}
