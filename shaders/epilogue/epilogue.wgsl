// What becomes of the product x[t] . W[o] before it is stored at y[i]: act(sum + bias) + residual.
// Each step is one file of this folder, or its `no_` twin.

fn epilogue(i: u32, o: u32, sum: f32) -> f32 {
  return add_residual(i, activate(add_bias(o, sum)));
}
