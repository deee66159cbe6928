import shader from "../../shaders/adjust-logits.wgsl?raw";
import random from "../../shaders/lib/random.wgsl?raw";
import row from "../../shaders/lib/row.wgsl?raw";
import sampling from "../../shaders/lib/sampling.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { SAMPLE_WORDS } from "./sample.ts";

/** Words of a `Penalties` in `shaders/adjust-logits.wgsl`. */
export const PENALTY_WORDS = 4;

const LANES = 64;

/** Marks in a word of a token's history; the bits below them count how often it was generated. */
const ENDS_ANSWER = 0x40000000;
const IN_PROMPT = 0x80000000;

/** How the logits of one sequence depend on what it holds already. */
export interface Penalties {
  /** Subtracted once for each time that the token was generated; 0 changes nothing. */
  readonly frequency: number;
  /** Subtracted when the token was generated at all; 0 changes nothing. */
  readonly presence: number;
  /** Divides a positive logit and multiplies a negative one; 1 changes nothing. */
  readonly repetition: number;
  /** Tokens that end the answer are not drawn before this many others. */
  readonly minTokens: number;
}

/** Writes the penalties of slot `b` into the words of a `[B, PENALTY_WORDS]` tensor. */
export function writePenalties(words: Uint32Array, b: number, penalties: Penalties): void {
  const { frequency, presence, repetition, minTokens } = penalties;
  const start = b * PENALTY_WORDS;
  new Float32Array(words.buffer, words.byteOffset).set([frequency, presence, repetition], start);
  words[start + 3] = minTokens;
}

/**
 * Writes the history of a sequence that has generated nothing yet.
 *
 * @param words `[V]`, one slot of a `[B, V]` tensor
 * @param prompt ids of the prompt, which only `repetition` looks at
 * @param ends ids that end the answer
 */
export function writeHistory(
  words: Uint32Array,
  prompt: Iterable<number>,
  ends: Iterable<number>,
): void {
  words.fill(0);
  for (const id of prompt) words[id] = IN_PROMPT;
  for (const id of ends) words[id] = (words[id] as number) | ENDS_ANSWER;
}

export interface LogitAdjustment {
  /** `[B, PENALTY_WORDS]` u32, written by `writePenalties` */
  readonly penalties: Tensor;
  /** `[B, V]` u32, written by `writeHistory`; counts what is generated */
  readonly history: Tensor;
  /** `[B, V]` added to the logits */
  readonly bias: Tensor;
}

/**
 * Applies penalties, bias and least length to the logits, and counts the token of the step before.
 * `repetition` acts on the bare logits, as in Hugging Face; the other penalties and the bias are
 * added to that. Run once before each `sample`.
 *
 * @param logits `[B, V]`
 * @param params `[B, SAMPLE_WORDS]` u32: step 0 counts no token, an idle slot's logits stay undefined
 * @param tokens `[B]` u32, those that `sample` drew in the step before
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
