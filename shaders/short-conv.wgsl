// y = c * (w[0] * u[p - 2] + w[1] * u[p - 1] + w[2] * u[p]) for a row at position p, where u = b * x: the
// gated convolution of LFM2 (lib/short-conv.wgsl). u at earlier positions comes from earlier rows of the
// pass, or else from the cache. Before position 0 it is 0. One lane per four channels of a row.

override ALONE: bool;  // T is 1: the row writes its own state, because no other row reads the cache

@group(0) @binding(2) var<storage, read> weight: array<vec4f>;   // [D * 3 / 4]: w of each channel
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;  // [T, D/4]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.y * groups.x * LANES + id.x;
  if (at >= arrayLength(&y)) { return; }
  let i = at % (D / 4u);
  let t = at / (D / 4u);
  let row = rows[t];
  if (row.position == NOWHERE) {
    y[at] = vec4f();
    return;
  }

  let u = input4(t, i);
  // Three weights for each of four channels.
  let w = mat3x4f(weight[3u * i], weight[3u * i + 1u], weight[3u * i + 2u]);
  let sum = vec4f(w[0].x, w[0].w, w[1].z, w[2].y) * input_before(t, 2u, i)
    + vec4f(w[0].y, w[1].x, w[1].w, w[2].z) * input_before(t, 1u, i)
    + vec4f(w[0].z, w[1].y, w[2].x, w[2].w) * u;
  y[at] = bcx[t * (3u * D / 4u) + D / 4u + i] * sum;
  if (ALONE) { states[state_index(row.sequence, row.position, i)] = u; }
}

/// Channels 4i .. 4i+3 of the input `back` positions before row t's.
fn input_before(t: u32, back: u32, i: u32) -> vec4f {
  let row = rows[t];
  if (row.position < back) { return vec4f(); }
  if (t >= back && is_at(t - back, row.sequence, row.position - back)) {
    return input4(t - back, i);
  }
  return states[state_index(row.sequence, row.position - back, i)];
}

fn is_at(t: u32, sequence: u32, position: u32) -> bool {
  return rows[t].sequence == sequence && rows[t].position == position;
}
