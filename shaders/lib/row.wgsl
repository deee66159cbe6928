// The unit of work: a token row of the decoder, or a patch row of a vision tower.
struct Row {
  rope: vec3u,        // temporal, height, width position; all equal for 1-D RoPE
  token: u32,         // < V: vocabulary id;  >= V: row (token - V) of the image embeddings
  sequence: u32,      // index of the sequence in the page table
  position: u32,      // where its key and value are written; NOWHERE: nowhere
  first: u32,         // it attends to keys first ..= last; none if first > last
  last: u32,
  window_first: u32,  // replaces `first` in sliding-window layers
  cross_first: u32,   // the same for cross-attention keys: cross_first ..= cross_last
  cross_last: u32,
  after_image: u32,   // 1 if it is at or after an image, else 0
}

const NOWHERE = 0xffffffffu;
