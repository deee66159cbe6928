// Keys and values in the cache as they are computed.

/// Four channels.
alias Kept = vec4f;

fn kept(channels: vec4f) -> Kept { return channels; }

fn channels_of(four: Kept) -> vec4f { return four; }
