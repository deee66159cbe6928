// Lets rows at or after an image through. Needs lib/row.wgsl.

@group(1) @binding(0) var<storage, read> rows: array<Row>;  // [T]

fn lets_through(t: u32) -> bool { return rows[t].after_image == 1u; }
