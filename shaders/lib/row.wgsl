// The unit of work: a decoded token, a prefilled token, an image row, or a vision patch-row.
struct Row {
  rope: vec3u,        // temporal, height, width position; all equal for 1-D RoPE
  token: u32,         // < V: vocabulary id;  >= V: row (token - V) of the image embeddings
  sequence: u32,      // whose page table
  position: u32,      // where its key and value are written; NOWHERE: not at all
  first: u32,         // the keys it may attend: first ..= last; none if first > last
  last: u32,
  window_first: u32,  // `first` on sliding-window layers
  cross_first: u32,   // the cross-attention keys it may attend: cross_first ..= cross_last; none if first > last
  cross_last: u32,
  after_image: u32,   // 1: it stands at an image, or after one; 0: it does not
}

const NOWHERE = 0xffffffffu;
