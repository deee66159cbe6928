import shader from "../../shaders/adjust-logits.wgsl?raw";
import random from "../../shaders/lib/random.wgsl?raw";
import row from "../../shaders/lib/row.wgsl?raw";
import sampling from "../../shaders/lib/sampling.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { SAMPLE_WORDS } from "./sample.ts";

/** Words of `Penalties` in `shaders/adjust-logits.wgsl`. */
export const PENALTY_WORDS = 4;

const LANES = 64;

/** Flags in a token's history. The bits below them count how often the token was generated. */
const IS_STOP = 0x40000000;
const IN_PROMPT = 0x80000000;

/** How the logits of one sequence depend on its earlier tokens. */
export interface Penalties {
  /** Subtracted once for each time the token was generated; 0 changes nothing. */
  readonly frequency: number;
  /** Subtracted if the token was generated at least once; 0 changes nothing. */
  readonly presence: number;
  /**
   * Divides a positive logit and multiplies a negative one, if the token is in the prompt or was
   * generated; 1 changes nothing.
   */
  readonly repetition: number;
  /** Stop tokens are not sampled before this many tokens. */
  readonly minTokens: number;
}

/** Changes no logit. */
export const NO_PENALTIES: Penalties = { frequency: 0, presence: 0, repetition: 1, minTokens: 0 };

/** Writes the penalties of slot `b`, into words of `[B, PENALTY_WORDS]`. */
export function writePenalties(words: Uint32Array, b: number, penalties: Penalties): void {
  const { frequency, presence, repetition, minTokens } = penalties;
  const start = b * PENALTY_WORDS;
  new Float32Array(words.buffer, words.byteOffset).set([frequency, presence, repetition], start);
  words[start + 3] = minTokens;
}

/**
 * Writes the history of a sequence that has not generated a token yet.
 *
 * @param words `[V]`, one slot of a `[B, V]` tensor
 * @param prompt ids of the prompt, which count for `repetition` only
 * @param stops ids of stop tokens
 */
export function writeHistory(
  words: Uint32Array,
  prompt: Iterable<number>,
  stops: Iterable<number>,
): void {
  words.fill(0);
  for (const id of prompt) words[id] = IN_PROMPT;
  for (const id of stops) words[id] = (words[id] as number) | IS_STOP;
}

/** Counts generated tokens in a history, as the kernel does. */
export function countGenerated(words: Uint32Array, generated: Iterable<number>): void {
  for (const id of generated) words[id] = (words[id] as number) + 1;
}

/** What `adjustLogits` applies to the logits of each sequence. */
export interface LogitAdjustment {
  /** `[B, PENALTY_WORDS]` u32, written by `writePenalties` */
  readonly penalties: Tensor;
  /** `[B, V]` u32, written by `writeHistory`; the kernel counts generated tokens in it */
  readonly history: Tensor;
  /** `[B, V]`, added to the logits */
  readonly bias: Tensor;
}

/**
 * Applies penalties, biases and `minTokens` to the logits, and counts the last sampled token. As in
 * Hugging Face, `repetition` acts on the model's logits; the other penalties and the bias are then
 * added. A sequence with `NO_PENALTIES` and a bias of 0 keeps its logits bit for bit. Record it once
 * before each `sample`.
 *
 * @param logits `[B, V]`
 * @param params `[B, SAMPLE_WORDS]` u32; step 0 counts no token, and an idle slot's result is undefined
 * @param tokens `[B]` u32, the tokens that `sample` sampled in the step before
 * @returns `[B, V]`
 * @throws TypeError when the shapes don't fit
 */
export function adjustLogits(
  g: Graph,
  logits: Tensor,
  params: Tensor,
  tokens: Tensor,
  { penalties, history, bias }: LogitAdjustment,
): Tensor {
  const [B, V] = logits.shape as [number, number];
  const expected: [Tensor, number[]][] = [
    [params, [B, SAMPLE_WORDS]],
    [tokens, [B]],
    [penalties, [B, PENALTY_WORDS]],
    [history, [B, V]],
    [bias, [B, V]],
  ];
  for (const [{ label, shape }, wanted] of expected) {
    if (`${shape}` === `${wanted}`) continue;
    throw new TypeError(`adjustLogits: ${label} is [${shape}], expected [${wanted}]`);
  }
  const y = g.scratch([B, V], "adjusted logits");
  g.dispatch(
    { name: "adjust-logits", code: shader + sampling + random + row },
    [[logits, params, penalties, tokens, bias, history, y]],
    [Math.ceil(V / LANES), B],
  );
  return y;
}
