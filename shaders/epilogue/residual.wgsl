@group(3) @binding(0) var<storage, read> residual: array<f32>;  // [R, O]; R divides T

fn add_residual(i: u32, value: f32) -> f32 {
  return value + residual[i % arrayLength(&residual)];
}
