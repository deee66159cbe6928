enable subgroups;

/// x[t .. t+3, 4i .. 4i+3], one row per column. Each lane loads one row and broadcasts it, so that a lane
/// loads one row instead of four.
fn x_rows(t: u32, i: u32, lane: u32) -> mat4x4f {
  let mine = x_row(t + lane % 4u, i);
  return mat4x4f(
    subgroupBroadcast(mine, 0u),
    subgroupBroadcast(mine, 1u),
    subgroupBroadcast(mine, 2u),
    subgroupBroadcast(mine, 3u),
  );
}
