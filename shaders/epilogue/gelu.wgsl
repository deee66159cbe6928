// v/2 * (1 + erf(v / sqrt(2))), with erf of Abramowitz and Stegun 7.1.26 (error below 1.5e-7)
fn activate(v: f32) -> f32 {
  let z = abs(v) * 0.7071067812;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  // 1 - erf(z). For negative v it is used as it is, because 1 + erf(-z) would lose its digits.
  let tail = series * exp(-z * z);
  return v * select(0.5 * tail, 1.0 - 0.5 * tail, v >= 0.0);
}
