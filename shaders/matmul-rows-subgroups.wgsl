enable subgroups;

/// x[t .. t+3, 4i .. 4i+3], a column a row. Each lane loads one of the rows and tells the others:
/// where a load is dear, four for the price of one.
fn x_rows(t: u32, i: u32, lane: u32) -> mat4x4f {
  let mine = x_row(t + lane % 4u, i);
  return mat4x4f(
    subgroupBroadcast(mine, 0u),
    subgroupBroadcast(mine, 1u),
    subgroupBroadcast(mine, 2u),
    subgroupBroadcast(mine, 3u),
  );
}
