// One axis of an antialiased resize in fixed point, for each channel:
// y[i] = clamp((2^(bits - 1) + sum over k of weight[i, k] * x[start + first[i] + k]) >> bits, 0, 255).
// Beyond the ends of x, a pixel is `background`. One lane per output pixel.

override VERTICAL: bool;  // whether the axis is y

struct Size {
  width: u32,       // width and height of y
  height: u32,
  stride: u32,      // width of x
  bits: u32,        // fraction bits of the weights
  length: u32,      // length of the axis in x
  start: i32,       // first position of the resized part, on the axis in x
  background: u32,  // RGBA8
}

@group(0) @binding(0) var<storage, read> size: Size;
@group(0) @binding(1) var<storage, read> taps: array<vec2u>;   // [axis length in y + 1]: first x, first weight
@group(0) @binding(2) var<storage, read> weights: array<i32>;  // [taps.last.y]
@group(0) @binding(3) var<storage, read> x: array<u32>;        // [height or more, stride] RGBA8
@group(0) @binding(4) var<storage, read_write> y: array<u32>;  // [height, width] RGBA8

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= size.width || id.y >= size.height) { return; }
  let i = select(id.x, id.y, VERTICAL);
  var at = size.start + i32(taps[i].x);

  var sum = vec3i(1i << (size.bits - 1u));
  for (var k = taps[i].y; k < taps[i + 1u].y; k++) {
    var pixel = size.background;
    if (at >= 0 && u32(at) < size.length) {
      pixel = x[select(id.y * size.stride + u32(at), u32(at) * size.stride + id.x, VERTICAL)];
    }
    sum += weights[k] * vec3i((vec3u(pixel) >> vec3u(0u, 8u, 16u)) & vec3u(255u));
    at++;
  }
  let byte = vec3u(clamp(sum >> vec3u(size.bits), vec3i(0), vec3i(255)));
  y[id.y * size.width + id.x] = byte.r | (byte.g << 8u) | (byte.b << 16u) | 0xff000000u;
}
