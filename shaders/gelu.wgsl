// y = x * cdf(x), with the normal distribution's cdf or one of its two approximations. One lane
// four elements.
//
//   TANH   1/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))  =  sigmoid(2 sqrt(2/pi) (...))
//   ERF    1/2 (1 + erf(x / sqrt(2)))
//   QUICK  sigmoid(1.702 x)

const LANES = 64u;
const TANH = 0u;
const ERF = 1u;
override KIND: u32;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;        // [T, D/4]
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;  // [T, D/4]

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * LANES + id.x;
  if (i >= arrayLength(&y)) { return; }
  let v = x[i];
  if (KIND == TANH) {
    y[i] = v * sigmoid(1.5957691216 * (v + 0.044715 * v * v * v));
  } else if (KIND == ERF) {
    y[i] = v * 0.5 * (1 + erf(v * 0.70710678119));
  } else {
    y[i] = v * sigmoid(1.702 * v);
  }
}

// exp() overflows beyond 88, where the sigmoid is 0 all the same.
fn sigmoid(v: vec4f) -> vec4f { return 1 / (1 + exp(min(-v, vec4f(80)))); }

// Abramowitz and Stegun 7.1.26; |error| < 1.5e-7.
fn erf(v: vec4f) -> vec4f {
  let t = 1 / (1 + 0.3275911 * abs(v));
  let polynomial =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(v) * (1 - polynomial * exp(max(-v * v, vec4f(-80))));
}
