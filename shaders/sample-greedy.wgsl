// tokens[b] = argmax of logits[b], from the greatest logit of each share of the vocabulary. A tie goes to
// the lowest id. One workgroup per sequence.

const LANES = 128u;  // at least C

@group(0) @binding(0) var<storage, read> partials: array<Partial>;  // [B, C]

var<workgroup> row: u32;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let b = group.x;
  if (lane == 0u) { row = params[b].row; }
  if (workgroupUniformLoad(&row) == NOWHERE) { return; }
  let C = arrayLength(&partials) / groups.x;

  var pair = NO_TOKEN;
  if (lane < C) { pair = vec2u(partials[b * C + lane].key, partials[b * C + lane].id); }
  let best = workgroup_best(lane, pair);
  if (lane == 0u) { advance(b, best.y); }
}
