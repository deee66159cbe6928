// Makes a sampled token the next row of the forward pass. Needs lib/row.wgsl and lib/sampling.wgsl.

@group(1) @binding(0) var<storage, read_write> params: array<Sampling>;  // [B]
@group(1) @binding(1) var<storage, read_write> rows: array<Row>;         // [R]
@group(1) @binding(2) var<storage, read_write> tokens: array<u32>;       // [B]

fn advance(b: u32, token: u32) {
  let s = params[b];
  tokens[b] = token;
  rows[s.row] = Row(
    vec3u(u32(i32(s.position) + s.rope_offset)),
    token,
    s.sequence,
    s.position,
    0u,
    s.position,
    select(0u, max(s.position + 1u, s.window) - s.window, s.window > 0u),
    s.cross_first,
    s.cross_last,
    select(0u, 1u, s.cross_first <= s.cross_last),
  );
  params[b].step = s.step + 1u;
  params[b].position = s.position + 1u;
}
