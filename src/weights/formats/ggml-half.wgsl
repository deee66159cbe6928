/// The value of a half float in the low 16 bits. Devices may read subnormal ones as 0 in
/// unpack2x16float, and small scales are subnormal.
fn half(bits: u32) -> f32 {
  let normal = bitcast<f32>(((bits & 0x7fffu) << 13u) + 0x38000000u);
  let magnitude = select(normal, 2.0 * normal - 0x1p-14f, (bits & 0x7c00u) == 0u);
  return select(magnitude, -magnitude, (bits & 0x8000u) != 0u);
}
