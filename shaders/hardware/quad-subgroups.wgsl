enable subgroups;

/// Adds the scores of four neighbouring lanes up. They are in one subgroup, since it has at least four.
fn quad_sums(lane: u32, s: array<vec2f, 8>) -> array<vec2f, 8> {
  var mine = s;
  for (var i = 0u; i < QUERIES; i++) {
    mine[i] += subgroupShuffleXor(mine[i], 1u);
    mine[i] += subgroupShuffleXor(mine[i], 2u);
  }
  return mine;
}
