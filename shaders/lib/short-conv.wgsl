// Shared by the kernels of the short convolution: its input u = b * x, and where the cache stores it.
// Needs lib/row.wgsl.

const LANES = 64u;
const PAGE_TOKENS = 64u;
override D: u32;          // model width, a multiple of 4
override KEPT: u32;       // positions that a page keeps the input of, at most PAGE_TOKENS
override MAX_PAGES: u32;  // pages per sequence in the page table

@group(0) @binding(0) var<storage, read> rows: array<Row>;            // [T]
@group(0) @binding(1) var<storage, read> bcx: array<vec4f>;           // [T, 3D/4]: b, c, x
@group(1) @binding(0) var<storage, read_write> states: array<vec4f>;  // [pages * KEPT, D/4]
@group(1) @binding(1) var<storage, read> page_table: array<u32>;      // [sequences, MAX_PAGES]

/// Channels 4i .. 4i+3 of row t's input.
fn input4(t: u32, i: u32) -> vec4f {
  let b = t * (3u * D / 4u) + i;
  return bcx[b] * bcx[b + D / 2u];
}

/// The index in `states` of channels 4i .. 4i+3 of the input at a position.
fn state_index(sequence: u32, position: u32, i: u32) -> u32 {
  let page = page_table[sequence * MAX_PAGES + position / PAGE_TOKENS];
  return (KEPT * page + position % KEPT) * (D / 4u) + i;
}
