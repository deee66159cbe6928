// v * sigmoid(v)
fn activate(v: f32) -> f32 {
  // exp() overflows beyond 88, where the sigmoid is 0 anyway.
  return v / (1.0 + exp(min(-v, 80.0)));
}
