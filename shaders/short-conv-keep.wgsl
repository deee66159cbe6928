// Writes the convolution's input u (lib/short-conv.wgsl) at the last KEPT positions that a pass computes
// in each page. It runs after short-conv.wgsl has read the earlier states. One lane per four channels
// of a row.

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  let t = at / (D / 4u);
  if (t >= arrayLength(&rows)) { return; }
  let i = at % (D / 4u);
  let row = rows[t];
  if (row.position == NOWHERE || is_followed(t, row)) { return; }
  states[state_index(row.sequence, row.position, i)] = input4(t, i);
}

/// Whether a later row of the pass has the same page and the same state index.
fn is_followed(t: u32, row: Row) -> bool {
  if (t + KEPT >= arrayLength(&rows) || row.position % PAGE_TOKENS + KEPT >= PAGE_TOKENS) { return false; }
  let next = rows[t + KEPT];
  return next.sequence == row.sequence && next.position == row.position + KEPT;
}
