enable subgroups;

/// The sum over SHARED neighbouring lanes of a subgroup.
fn shared_sum(value: f32) -> f32 {
  var sum = value;
  for (var n = 1u; n < SHARED; n *= 2u) { sum += subgroupShuffleXor(sum, n); }
  return sum;
}
