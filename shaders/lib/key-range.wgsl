// The keys that a row attends to. Needs lib/row.wgsl.

override RANGE: u32;  // 0: first ..= last; 1: window_first ..= last; 2: cross_first ..= cross_last

/// The keys first ..= last; none if first > last.
struct KeyRange {
  first: u32,
  last: u32,
}

fn key_range(row: Row) -> KeyRange {
  if (RANGE == 2u) { return KeyRange(row.cross_first, row.cross_last); }
  return KeyRange(select(row.first, row.window_first, RANGE == 1u), row.last);
}
