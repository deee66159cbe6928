fn add_residual(t: u32, o: u32, value: f32) -> f32 { return value; }
