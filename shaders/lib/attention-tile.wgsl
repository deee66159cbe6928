// The tile of queries that a workgroup of attention.wgsl or of hardware/attention.wgsl computes: QUERIES
// queries of one key/value head, the query heads that share it, of consecutive rows. The kernel declares
// QUERIES, H, K, C, Q_STRIDE and its bindings.

/// The keys first ..= last of a sequence; none if first > last.
struct SequenceKeys {
  sequence: u32,
  first: u32,
  last: u32,
}

/// Neighbouring queries of a tile that belong to one sequence.
struct Run {
  end: u32,            // the run ends before this query
  keys: SequenceKeys,  // the keys that any of its queries attends to
}

var<workgroup> query_keys: array<SequenceKeys, QUERIES>;
var<workgroup> shared_run: Run;

/// The keys of query i: head i % (H/K) of those that share the key/value head, of row i / (H/K).
fn keys_of(i: u32) -> SequenceKeys {
  let t = i / (H / K);
  if (t >= arrayLength(&rows)) { return SequenceKeys(0, 1, 0); }
  let keys = key_range(rows[t]);
  return SequenceKeys(rows[t].sequence, keys.first, keys.last);
}

/// Where the channels of queries i .. i+3 start in q. Queries beyond the last row repeat earlier ones.
fn q_starts(i: u32, head: u32) -> vec4u {
  let all = i + vec4u(0, 1, 2, 3);
  let t = min(all / (H / K), vec4u(arrayLength(&rows) - 1u));
  return t * (Q_STRIDE / 4u) + (head * (H / K) + all % (H / K)) * (C / 4u);
}

/// The run that starts at query `begin` of the tile. Queries without keys belong to any run.
fn next_run(begin: u32) -> Run {
  var all = SequenceKeys(NOWHERE, NOWHERE, 0);
  for (var i = begin; i < QUERIES; i++) {
    let own = query_keys[i];
    if (own.first > own.last) { continue; }
    if (all.sequence != NOWHERE && own.sequence != all.sequence) { return Run(i, all); }
    all = SequenceKeys(own.sequence, min(all.first, own.first), max(all.last, own.last));
  }
  return Run(QUERIES, all);
}

fn write(i: u32, head: u32, c: u32, channels: vec4f) {
  let t = i / (H / K);
  if (t >= arrayLength(&rows) || c >= C / 4u) { return; }
  y[(t * H + head * (H / K) + i % (H / K)) * (C / 4u) + c] = channels;
}
