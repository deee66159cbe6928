// What workgroups of one dispatch pass on to the last of them. WGSL has no barrier between workgroups, and
// only atomics are the same for all of them at once, in no promised order. So numbers are passed on by
// exchanges, and a workgroup counts itself by a number that depends on what all of its exchanges have
// returned: those are over by then. The kernel declares `work`, whose counters are 0 before and after a
// dispatch.

var<workgroup> arrived: u32;
var<workgroup> exchanged: atomic<u32>;
var<private> returned: u32;

fn pass_on(at: u32, value: f32) { returned |= atomicExchange(&work[at], bitcast<u32>(value)); }

fn passed_on(at: u32) -> f32 { return bitcast<f32>(atomicLoad(&work[at])); }

/// Whether all other workgroups of `count` have arrived. Every lane of a workgroup must call it once, after
/// what it passes on.
fn arrives_last(lane: u32, counter: u32, count: u32) -> bool {
  // A mask of 0, which no compiler knows: counts are small.
  atomicOr(&exchanged, returned & (atomicLoad(&work[counter]) & 0x80000000u));
  storageBarrier();
  workgroupBarrier();
  if (lane == 0u) {
    arrived = atomicAdd(&work[counter], 1u + atomicLoad(&exchanged)) + 1u;
    if (arrived == count) { atomicStore(&work[counter], 0u); }
  }
  let last = workgroupUniformLoad(&arrived) == count;
  storageBarrier();
  return last;
}
