// Outputs are stored as they are computed.
fn store_output(at: u32, value: f32) { y[at] = value; }
fn end_outputs(lane: u32, workgroups: u32) {}
