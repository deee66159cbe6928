// y = the logits of tokens that may be sampled, and LOWEST for other tokens. Token `id` may be sampled
// if bit id % 32 of word id / 32 of the mask is 1. One lane per token of the vocabulary, one row of
// workgroups per sequence.

const LANES = 64u;

const LOWEST = -1e30;

@group(0) @binding(0) var<storage, read> logits: array<f32>;   // [B, V]
@group(0) @binding(1) var<storage, read> mask: array<u32>;     // [B, ceil(V / 32)]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;  // [B, V]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) at: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let b = at.y;
  let id = at.x;
  let V = arrayLength(&y) / groups.y;
  if (id >= V) { return; }
  let word = mask[b * ((V + 31u) / 32u) + id / 32u];
  let allowed = extractBits(word, id % 32u, 1u) == 1u;
  y[b * V + id] = select(LOWEST, logits[b * V + id], allowed);
}
