// into[b, OFFSET + STRIDE * d] = x[START + b, d]. One lane per element of x.

const LANES = 64u;
override D: u32;       // width of x
override WIDTH: u32;   // width of into
override OFFSET: u32;  // target of channel 0
override STRIDE: u32;  // distance between the targets of two channels
override START: u32;   // first row of x

@group(0) @binding(0) var<storage, read> x: array<f32>;           // [T, D]
@group(0) @binding(1) var<storage, read_write> into: array<f32>;  // [B, WIDTH]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  let row = i / D;
  if (row >= arrayLength(&into) / WIDTH) { return; }
  into[row * WIDTH + OFFSET + STRIDE * (i % D)] = x[START * D + i];
}
