// Keys and values of images, in a ring of N rows: key i, below 2N, is in row i mod N. All sequences share
// them. The kernel declares K and C.

@group(1) @binding(0) var<storage, read> keys: array<vec4f>;    // [N, K * C/4]
@group(1) @binding(1) var<storage, read> values: array<vec4f>;  // [N, K * C/4]

/// The row of key i. Later keys are in the rows after it.
fn page_row(sequence: u32, i: u32) -> u32 { return i; }

fn ring_row(row: u32) -> u32 {
  let N = arrayLength(&keys) / (K * (C / 4u));
  return select(row - N, row, row < N);
}

/// Channels 4c .. 4c+3 of a row's key.
fn key4(row: u32, head: u32, c: u32) -> vec4f {
  return keys[(ring_row(row) * K + head) * (C / 4u) + c];
}

/// Channels 4c .. 4c+3 of a row's value.
fn value4(row: u32, head: u32, c: u32) -> vec4f {
  return values[(ring_row(row) * K + head) * (C / 4u) + c];
}
