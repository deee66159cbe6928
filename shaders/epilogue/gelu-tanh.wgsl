// v/2 * (1 + tanh(sqrt(2/pi) * (v + 0.044715 v^3)))
fn activate(v: f32) -> f32 {
  // On some drivers tanh overflows beyond 44. From 10 on it is 1 in f32.
  let z = clamp(0.7978845608 * (v + 0.044715 * v * v * v), -15.0, 15.0);
  return 0.5 * v * (1.0 + tanh(z));
}
