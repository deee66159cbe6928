// Blends a straight-alpha pixel over white: c = round((c * a + 255 * (255 - a)) / 255) for each channel,
// bit for bit as Pillow's `alpha_composite`. One lane per pixel of a block.

struct Block {
  stride: u32,  // pixels between the starts of two rows of `rgba`
  width: u32,
  height: u32,
  x: u32,       // position of the block in the image
  y: u32,
  image_width: u32,
}

@group(0) @binding(0) var<storage, read> block: Block;
@group(0) @binding(1) var<storage, read> rgba: array<u32>;         // [at least height, stride] RGBA8
@group(0) @binding(2) var<storage, read_write> image: array<u32>;  // [image height, image width] RGBA8

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= block.width || id.y >= block.height) { return; }
  let pixel = rgba[id.y * block.stride + id.x];
  let alpha = pixel >> 24u;
  let rgb = (vec3u(pixel) >> vec3u(0u, 8u, 16u)) & vec3u(255u);
  let sum = rgb * alpha + 255u * (255u - alpha) + 128u;
  let over = (sum + (sum >> vec3u(8u))) >> vec3u(8u);
  image[(block.y + id.y) * block.image_width + block.x + id.x] =
    over.r | (over.g << 8u) | (over.b << 16u) | 0xff000000u;
}
