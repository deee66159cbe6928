import best from "../../shaders/lib/best.wgsl?raw";
import random from "../../shaders/lib/random.wgsl?raw";
import reduce from "../../shaders/lib/reduce.wgsl?raw";
import sampling from "../../shaders/lib/sampling.wgsl?raw";
import mergeShader from "../../shaders/logprobs-merge.wgsl?raw";
import shareShader from "../../shaders/logprobs-share.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";

/** The most likely tokens of a step that `logprobs` lists, at most. */
export const MAX_TOP_LOGPROBS = 20;

/** Words that `logprobs` writes for one sequence. */
export const LOGPROB_WORDS = 1 + 2 * MAX_TOP_LOGPROBS;

/** Shares that a vocabulary is cut into at most: the merging kernel has one lane per share. */
const MAX_SHARES = 128;
/** Logits per share, 16 per lane; for fewer, a workgroup does not pay. */
const SHARE_LOGITS = 512;

/** The id in a list with fewer tokens than it has room for. */
const NO_TOKEN = 0xffffffff;

/** Natural logarithms of token probabilities at one step. */
export interface Logprobs {
  /** The logprob of the sampled token. */
  readonly logprob: number;
  /** The most likely tokens in descending order; equally likely ones by ascending id. */
  readonly top: readonly { readonly id: number; readonly logprob: number }[];
}

/**
 * The log-softmax of the logits, at the sampled token and at the most likely tokens.
 *
 * @param logits `[B, V]`
 * @param tokens `[B]` u32, the sampled tokens
 * @param counts `[B]` u32, how many of the most likely tokens to list, 0 to `MAX_TOP_LOGPROBS`
 * @param output `[B, LOGPROB_WORDS]` u32; `readLogprobs` reads a row of it
 * @throws TypeError when the shapes don't fit
 */
export function logprobs(
  g: Graph,
  logits: Tensor,
  tokens: Tensor,
  counts: Tensor,
  output: Tensor,
): void {
  const [B, V] = logits.shape as [number, number];
  const expected: [Tensor, number[]][] = [
    [tokens, [B]],
    [counts, [B]],
    [output, [B, LOGPROB_WORDS]],
  ];
  for (const [{ label, shape }, wanted] of expected) {
    if (`${shape}` === `${wanted}`) continue;
    throw new TypeError(`logprobs: ${label} is [${shape}], expected [${wanted}]`);
  }
  const share = Math.ceil(V / Math.min(MAX_SHARES, Math.ceil(V / SHARE_LOGITS)));
  const C = Math.ceil(V / share);
  const constants = { N: MAX_TOP_LOGPROBS };
  const shared = sampling + random + best + reduce;
  const likeliest = g.scratch([B, C, MAX_TOP_LOGPROBS, 2], "likeliest", "u32");
  const sums = g.scratch([B, C], "logprob-sums");
  g.dispatch(
    { name: "logprobs-share", code: shareShader + shared, constants },
    [[logits, counts, likeliest, sums]],
    [C, B],
  );
  g.dispatch(
    { name: "logprobs-merge", code: mergeShader + shared, constants },
    [[logits, counts, likeliest, sums, tokens, output]],
    [B],
  );
}

/** @param words `[LOGPROB_WORDS]`, the output of `logprobs` for one sequence */
export function readLogprobs(words: Uint32Array): Logprobs {
  const values = new Float32Array(words.buffer, words.byteOffset, words.length);
  const top = [];
  for (let i = 1; i < LOGPROB_WORDS && words[i] !== NO_TOKEN; i += 2) {
    top.push({ id: words[i] as number, logprob: values[i + 1] as number });
  }
  return { logprob: values[0] as number, top };
}
