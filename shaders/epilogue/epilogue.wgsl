// y[i] = activate(sum + bias) + residual, where sum = x[t] . W[o]. Each step is a file of this folder, or
// its no-*.wgsl counterpart. A gated product has two rows of W for each output o, o and O + o:
// y[i] = activate(gate + bias) * (up + bias) + residual.

override GATED: bool = false;

/// Outputs of the bound slice of W.
fn outputs() -> u32 {
  return weight_rows() / select(1u, 2u, GATED);
}

/// The row of W for a lane's or a workgroup's sum n of `sums`, which are for outputs from `first` on. Gates come
/// before ups. Beyond the last output: its row.
fn weight_row(first: u32, n: u32, sums: u32) -> u32 {
  let width = sums / select(1u, 2u, GATED);
  return min(first + n % width, outputs() - 1u) + n / width * outputs();
}

fn epilogue(i: u32, o: u32, sum: f32, up: f32) -> f32 {
  var value = activate(add_bias(o, sum));
  if (GATED) { value *= add_bias(outputs() + o, up); }
  return add_residual(i, value);
}
