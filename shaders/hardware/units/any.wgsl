// Units of any weight format, by its weight8.

const HAS_LINES = false;
const LOW_FACTORS = vec4f(1);
const HIGH_FACTORS = vec4f(1);

struct Unit { unused: u32 }

fn unit_of(o: u32, u: u32) -> Unit { return Unit(); }

fn eight_of(unit: Unit, o: u32, i: u32) -> mat2x4f { return weight8(o, i); }

fn line_of(o: u32, u: u32) -> vec2f { return vec2f(); }
