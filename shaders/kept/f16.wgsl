// Keys and values in the cache as f16, two to a word.

/// Four channels.
alias Kept = vec2u;

fn kept(channels: vec4f) -> Kept {
  // What f16 can't hold is otherwise undefined.
  let c = clamp(channels, vec4f(-65504), vec4f(65504));
  return vec2u(pack2x16float(c.xy), pack2x16float(c.zw));
}

fn channels_of(four: Kept) -> vec4f {
  return vec4f(unpack2x16float(four.x), unpack2x16float(four.y));
}
