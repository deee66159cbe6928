// y = c * sum over j of w[j] * u[p - (L - 1) + j] for a row at position p, where u = b * x: the gated
// convolution of LFM2 (lib/short-conv.wgsl). u at earlier positions comes from earlier rows of the
// pass, or else from the cache. Before position 0 it is 0. One lane per four channels of a row.

override L: u32;       // positions of the convolution
override ALONE: bool;  // T is 1: the row writes its own state, because no other row reads the cache

@group(0) @binding(2) var<storage, read> weight: array<f32>;     // [D, L]
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
  var sum = weights_of(i, L - 1u) * u;
  for (var back = 1u; back < L; back++) {
    sum += weights_of(i, L - 1u - back) * input_before(t, back, i);
  }
  y[at] = bcx[t * (3u * D / 4u) + D / 4u + i] * sum;
  if (ALONE) { states[state_index(row.sequence, row.position, i)] = u; }
}

/// The j-th weight of channels 4i .. 4i+3.
fn weights_of(i: u32, j: u32) -> vec4f {
  let first = 4u * i * L + j;
  return vec4f(weight[first], weight[first + L], weight[first + 2u * L], weight[first + 3u * L]);
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
