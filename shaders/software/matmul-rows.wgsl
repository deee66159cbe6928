/// x[t .. t+3, 4i .. 4i+3], one row per column.
fn x_rows(t: u32, i: u32, lane: u32) -> mat4x4f {
  return mat4x4f(x_row(t, i), x_row(t + 1u, i), x_row(t + 2u, i), x_row(t + 3u, i));
}
