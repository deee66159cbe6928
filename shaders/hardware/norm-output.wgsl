// y[t] = residual[t] + RMSNorm of the outputs of row t. The last workgroup computes it for all of them.
// Needs arrival.wgsl and lib/reduce.wgsl. The kernel declares LANES.

@group(5) @binding(0) var<storage, read_write> work: array<atomic<u32>>;  // [1 + T * O]: count, outputs
@group(5) @binding(1) var<storage, read> output_weight: array<f32>;       // [O]
@group(5) @binding(2) var<storage, read> added: array<f32>;               // [T, O]

override OUTPUT_EPS: f32;
override OUTPUT_OFFSET: f32;  // 1 for checkpoints that store weight - 1

fn store_output(at: u32, value: f32) { pass_on(1u + at, value); }

fn end_outputs(lane: u32, workgroups: u32) {
  if (!arrives_last(lane, 0u, workgroups)) { return; }
  let O = outputs();
  for (var start = 0u; start < arrayLength(&y); start += O) {
    var squares = 0.0;
    for (var o = lane; o < O; o += LANES) {
      let v = passed_on(1u + start + o);
      squares += v * v;
    }
    let scale = inverseSqrt(workgroup_sum(lane, squares) / f32(O) + OUTPUT_EPS);
    for (var o = lane; o < O; o += LANES) {
      let v = passed_on(1u + start + o) * scale * (output_weight[o] + OUTPUT_OFFSET);
      y[start + o] = v + added[start + o];
    }
  }
}
