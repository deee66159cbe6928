/// Adds the scores of four neighbouring lanes up. Every lane of the workgroup must call it.
fn quad_sums(lane: u32, s: array<vec2f, 8>) -> array<vec2f, 8> {
  var mine = s;
  let first = lane / 4u * 4u;
  for (var i = 0u; i < QUERIES; i += 4u) {
    workgroupBarrier();
    partial[lane] = vec4f(mine[i], mine[i + 1u]);
    partial[LANES + lane] = vec4f(mine[i + 2u], mine[i + 3u]);
    workgroupBarrier();
    var near = vec4f();
    var far = vec4f();
    for (var n = first; n < first + 4u; n++) {
      near += partial[n];
      far += partial[LANES + n];
    }
    mine[i] = near.xy;
    mine[i + 1u] = near.zw;
    mine[i + 2u] = far.xy;
    mine[i + 3u] = far.zw;
  }
  return mine;
}
