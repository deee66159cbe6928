// Keys and values in the rows of one projection, after the queries. All sequences share them. The kernel
// declares H, K and C.

@group(1) @binding(0) var<storage, read> qkv: array<vec4f>;  // [P, (H + 2K) * C/4]

/// The row of key i. Later keys are in the rows after it.
fn page_row(sequence: u32, i: u32) -> u32 { return i; }

/// Channels 4c .. 4c+3 of a row's key.
fn key4(row: u32, head: u32, c: u32) -> vec4f {
  return qkv[(row * (H + 2u * K) + H + head) * (C / 4u) + c];
}

/// Channels 4c .. 4c+3 of a row's value.
fn value4(row: u32, head: u32, c: u32) -> vec4f {
  return qkv[(row * (H + 2u * K) + H + K + head) * (C / 4u) + c];
}
