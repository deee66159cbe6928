// Keys and values in the pages of a layer's cache, in a type of kept/. The kernel declares K and C.

override MAX_PAGES: u32;  // pages per sequence in the page table

@group(1) @binding(0) var<storage, read> keys: array<Kept>;       // [pages * 64, K * C/4]
@group(1) @binding(1) var<storage, read> values: array<Kept>;     // [pages * 64, K * C/4]
@group(1) @binding(2) var<storage, read> page_table: array<u32>;  // [sequences, MAX_PAGES]

/// The row of key i, the first of a page. The other 63 keys of the page are in the rows after it.
fn page_row(sequence: u32, i: u32) -> u32 {
  return page_table[sequence * MAX_PAGES + i / 64u] * 64u;
}

/// Channels 4c .. 4c+3 of a row's key.
fn key4(row: u32, head: u32, c: u32) -> vec4f {
  return channels_of(keys[(row * K + head) * (C / 4u) + c]);
}

/// Channels 4c .. 4c+3 of a row's value.
fn value4(row: u32, head: u32, c: u32) -> vec4f {
  return channels_of(values[(row * K + head) * (C / 4u) + c]);
}
