// y[b, row, col, c] = mean of x[b, row * S + dy, col * S + dx, c] over dy, dx < S: each S x S block of
// positions becomes one position. One lane per four channels.

const LANES = 64u;
override C: u32;     // channels, a multiple of 4
override SIDE: u32;  // positions along one side of the square, a multiple of S
override S: u32;     // positions along one side of a block

@group(0) @binding(0) var<storage, read> x: array<vec4f>;        // [B * SIDE * SIDE, C/4]
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;  // [B * (SIDE/S)^2, C/4]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  if (i >= arrayLength(&y)) { return; }
  let c = i % (C / 4u);
  let block = i / (C / 4u);
  // A row of blocks is SIDE / S positions of y and S * SIDE of x, so squares need no separate index.
  let row = block / (SIDE / S) * S;
  let col = block % (SIDE / S) * S;
  var sum = vec4f();
  for (var dy = 0u; dy < S; dy++) {
    for (var dx = 0u; dx < S; dx++) { sum += x[((row + dy) * SIDE + col + dx) * (C / 4u) + c]; }
  }
  y[i] = sum / f32(S * S);
}
