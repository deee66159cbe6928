// y[b, row, col, (dy * S + dx) * C + c] = x[b, row * S + dy, col * S + dx, c]: each S x S block of
// positions becomes one position of S * S * C channels. One lane per four channels.

const LANES = 64u;
override C: u32;     // channels, a multiple of 4
override SIDE: u32;  // positions along one side of the square, a multiple of S
override S: u32;     // positions along one side of a block

@group(0) @binding(0) var<storage, read> x: array<vec4f>;        // [B * SIDE * SIDE, C/4]
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;  // [B * (SIDE/S)^2, S * S * C/4]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  if (i >= arrayLength(&y)) { return; }
  let c = i % (C / 4u);
  let dx = i / (C / 4u) % S;
  let dy = i / (C / 4u * S) % S;
  let position = i / (C / 4u * S * S);
  // A row of blocks is SIDE / S positions of y and S * SIDE of x, so squares need no separate index.
  let row = position / (SIDE / S) * S + dy;
  let col = position % (SIDE / S) * S + dx;
  y[i] = x[(row * SIDE + col) * (C / 4u) + c];
}
