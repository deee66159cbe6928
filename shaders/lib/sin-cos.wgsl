// Sine and cosine to f32's precision for angles up to 100,000. WGSL guarantees its own functions only
// between -pi and pi, and there only to 2^-11.

struct SinCos {
  sin: vec4f,
  cos: vec4f,
}

fn sin_cos(angle: vec4f) -> SinCos {
  // Subtracts the nearest multiple of pi/2 in three parts. The first two parts have only 8 bits, so
  // their multiples are exact. fma() keeps compilers from merging the parts.
  let quarters = round(angle * 0.636619772);
  var r = fma(quarters, vec4f(-1.5703125), angle);
  r = fma(quarters, vec4f(-4.825592041015625e-4), r);
  r = fma(quarters, vec4f(-1.26759079e-6), r);

  // Minimax polynomials on [-pi/4, pi/4] (Cephes, sinf and cosf).
  let z = r * r;
  let s = r + r * z * (-1.6666654611e-1 + z * (8.3321608736e-3 - z * 1.9515295891e-4));
  let c = 1 - 0.5 * z +
    z * z * (4.166664568298827e-2 + z * (-1.388731625493765e-3 + z * 2.443315711809948e-5));

  let quadrant = vec4i(quarters) & vec4i(3);
  let odd = (quadrant & vec4i(1)) == vec4i(1);
  let sine = select(s, c, odd);
  let cosine = select(c, s, odd);
  return SinCos(
    select(sine, -sine, quadrant >= vec4i(2)),
    select(cosine, -cosine, (quadrant == vec4i(1)) | (quadrant == vec4i(2))),
  );
}
