// What becomes of the product x[t] . W[o] before it is stored: act(sum + bias) + residual.
// Each step is one file of this folder, or its `no_` twin.

fn epilogue(t: u32, o: u32, sum: f32) -> f32 {
  return add_residual(t, o, activate(add_bias(o, sum)));
}
