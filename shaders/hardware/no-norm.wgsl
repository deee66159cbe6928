// The input as it is.
const NORMS = false;

fn weighted(v: vec4f, i: u32) -> vec4f { return v; }
fn norm_scale(squares: f32) -> f32 { return 1.0; }
