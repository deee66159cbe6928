@group(2) @binding(0) var<storage, read> bias: array<f32>;  // [O]

fn add_bias(o: u32, sum: f32) -> f32 { return sum + bias[o]; }
