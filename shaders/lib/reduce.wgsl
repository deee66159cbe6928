// The sum over the lanes of a workgroup, by a tree. The kernel declares LANES, a power of two. Every
// lane must call it.

var<workgroup> reduce_sums: array<f32, LANES>;

fn workgroup_sum(lane: u32, value: f32) -> f32 {
  reduce_sums[lane] = value;
  for (var n = LANES / 2u; n > 0u; n /= 2u) {
    workgroupBarrier();
    if (lane < n) { reduce_sums[lane] += reduce_sums[lane + n]; }
  }
  // This load has barriers before and after it, so that the next call may write.
  return workgroupUniformLoad(&reduce_sums[0]);
}
