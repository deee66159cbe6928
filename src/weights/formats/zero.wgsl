override ZERO: i32;

/// The code of a weight of 0.
fn zero_of(o: u32, group: u32) -> i32 {
  return ZERO;
}
