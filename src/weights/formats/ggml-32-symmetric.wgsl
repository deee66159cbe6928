/// s and b of a block of row o.
fn affine_of(o: u32, block: u32) -> vec2f {
  return vec2f(scale_of(o, block), 0.0);
}
