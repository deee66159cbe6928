/// The sum over SHARED lanes, which is one.
fn shared_sum(value: f32) -> f32 { return value; }
