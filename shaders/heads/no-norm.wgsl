// No norm of query and key heads.
fn head_scale(first: u32) -> f32 { return 1.0; }
fn head_weight(head: u32, i: u32) -> vec4f { return vec4f(1.0); }
