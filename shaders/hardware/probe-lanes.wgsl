enable subgroups;

// Counts the lanes that are not where kernels expect them: lane i of a workgroup is lane i mod n of a
// subgroup of n lanes, n a power of two of at least LEAST.

override LANES: u32;
override LEAST: u32;

@group(0) @binding(0) var<storage, read_write> misplaced: array<atomic<u32>>;  // [1]

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(subgroup_size) size: u32,
        @builtin(subgroup_invocation_id) own: u32) {
  let first = subgroupBroadcastFirst(lane);
  let expected = size >= LEAST && (size & (size - 1u)) == 0u && own == lane % size && first == lane - own;
  if (!expected) { atomicAdd(&misplaced[0], 1u); }
}
