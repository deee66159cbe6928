fn add_residual(i: u32, value: f32) -> f32 { return value; }
