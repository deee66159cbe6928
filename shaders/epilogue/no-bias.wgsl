fn add_bias(o: u32, sum: f32) -> f32 { return sum; }
