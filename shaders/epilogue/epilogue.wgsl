// y[i] = activate(sum + bias) + residual, where sum = x[t] . W[o]. Each step is a file of this folder, or
// its no-*.wgsl counterpart.

fn epilogue(i: u32, o: u32, sum: f32) -> f32 {
  return add_residual(i, activate(add_bias(o, sum)));
}
