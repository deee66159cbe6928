import best from "../../shaders/lib/best.wgsl?raw";
import random from "../../shaders/lib/random.wgsl?raw";
import reduce from "../../shaders/lib/reduce.wgsl?raw";
import sampling from "../../shaders/lib/sampling.wgsl?raw";
import mergeShader from "../../shaders/logprobs-merge.wgsl?raw";
import shareShader from "../../shaders/logprobs-share.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";

/** How many of the most likely tokens can be told. */
export const MAX_TOP_LOGPROBS = 20;

/** Words that `logprobs` writes for one sequence. */
export const LOGPROB_WORDS = 1 + 2 * MAX_TOP_LOGPROBS;

/** Lanes of the kernel that merges the shares that a vocabulary is cut into. */
const MAX_SHARES = 128;
/** Logits that make another workgroup worth its start: 16 a lane. */
const SHARE_LOGITS = 512;

/** Stands for a token where the vocabulary has no more. */
const NO_TOKEN = 0xffffffff;

/** Natural logarithms of probabilities at one step. */
export interface Logprobs {
  /** Of the token drawn. */
  readonly logprob: number;
  /** The most likely tokens, the most likely first and of equals the lowest id. */
  readonly top: readonly { readonly id: number; readonly logprob: number }[];
}

/**
 * Log-softmax of the logits, at the token drawn and at the most likely tokens.
 *
 * @param logits `[B, V]`
 * @param tokens `[B]` u32, the tokens drawn
 * @param counts `[B]` u32, how many of the most likely are wanted, 0 to `MAX_TOP_LOGPROBS`
 * @param output `[B, LOGPROB_WORDS]` u32, to be read by `readLogprobs`
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

/** Reads one sequence's `LOGPROB_WORDS` words. */
export function readLogprobs(words: Uint32Array): Logprobs {
  const values = new Float32Array(words.buffer, words.byteOffset, words.length);
  const top = [];
  for (let i = 1; i < LOGPROB_WORDS && words[i] !== NO_TOKEN; i += 2) {
    top.push({ id: words[i] as number, logprob: values[i + 1] as number });
  }
  return { logprob: values[0] as number, top };
}
