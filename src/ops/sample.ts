import advance from "../../shaders/lib/advance.wgsl?raw";
import best from "../../shaders/lib/best.wgsl?raw";
import random from "../../shaders/lib/random.wgsl?raw";
import reduce from "../../shaders/lib/reduce.wgsl?raw";
import row from "../../shaders/lib/row.wgsl?raw";
import sampling from "../../shaders/lib/sampling.wgsl?raw";
import boundsShader from "../../shaders/sample-bounds.wgsl?raw";
import chooseShader from "../../shaders/sample-choose.wgsl?raw";
import gatherShader from "../../shaders/sample-gather.wgsl?raw";
import greedyShader from "../../shaders/sample-greedy.wgsl?raw";
import reduceShader from "../../shaders/sample-reduce.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { NOWHERE, ROW_WORDS } from "./row.ts";

/** Words of a `Sampling` in `shaders/lib/sampling.wgsl`. */
export const SAMPLE_WORDS = 14;
/** The word of a `Sampling` that says which row receives the token. */
export const SAMPLING_ROW_WORD = 7;

/** Shares that a vocabulary is cut into at most: the merging kernels have one lane per share. */
const MAX_SHARES = 128;
/** Logits per share, 16 per lane; for fewer, a workgroup does not pay. */
const SHARE_LOGITS = 512;

const PARTIAL_WORDS = 3;
const BOUNDS_WORDS = 4;
const CANDIDATE_WORDS = 2;

/** A lower temperature is greedy, because it would amplify only the rounding of the logits. */
const LOWEST_TEMPERATURE = 1e-5;
/** Replaces ln 0, and stays finite when multiplied by a temperature. */
const LOG_ZERO = -1e30;

/** How the tokens of one sequence are sampled, and where they go. */
export interface SequenceSampling {
  /** 0 is greedy; topK, topP, minP and seed have no effect then. */
  readonly temperature: number;
  /** Keep the k most likely tokens, and tokens as likely as the k-th; 0 keeps all. */
  readonly topK: number;
  /** Keep the most likely tokens whose probabilities sum to `topP`, in (0, 1]. Equals stay together. */
  readonly topP: number;
  /** Keep tokens at least `minP` times as likely as the most likely one, in [0, 1]. */
  readonly minP: number;
  /** An integer. Only its low 64 bits count. */
  readonly seed: number;
  /** Tokens sampled so far. Default 0. */
  readonly step?: number;
  /** Index in the row buffer that receives each sampled token. `NOWHERE` makes the slot idle. */
  readonly row: number;
  /** Position of the next token in the sequence. */
  readonly position: number;
  /** Index of the sequence in the page table. Default 0. */
  readonly sequence?: number;
  /** RoPE position minus position, on all three axes (M-RoPE's `rope_delta`). Default 0. */
  readonly ropeOffset?: number;
  /** Keys that a token attends to in sliding-window layers, itself included. Default 0: all keys. */
  readonly window?: number;
  /** The tokens attend to cross-attention keys `crossFirst ..= crossLast`. Default: to none. */
  readonly crossFirst?: number;
  readonly crossLast?: number;
}

/** A slot that samples no token and writes no row. */
export const IDLE_SAMPLING: SequenceSampling = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  seed: 0,
  row: NOWHERE,
  position: 0,
};

/** Writes the settings of slot `b`, into words of `[B, SAMPLE_WORDS]`. */
export function writeSampling(words: Uint32Array, b: number, settings: SequenceSampling): void {
  const greedy = settings.temperature < LOWEST_TEMPERATURE;
  const { topK, topP, minP } = greedy ? IDLE_SAMPLING : settings;
  const { seed, step = 0, row, sequence = 0, position, ropeOffset = 0, window = 0 } = settings;
  const { crossFirst = 1, crossLast = 0 } = settings;
  words.set(
    [
      floatBits(greedy ? 0 : settings.temperature),
      topK,
      floatBits(topP),
      floatBits(minP > 0 ? Math.log(minP) : LOG_ZERO),
      seed,
      Math.floor(seed / 2 ** 32),
      step,
      row,
      sequence,
      position,
      ropeOffset,
      window,
      crossFirst,
      crossLast,
    ],
    b * SAMPLE_WORDS,
  );
}

function floatBits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0] as number;
}

export interface SampleOptions {
  /** Take the most likely token, whatever the settings. Two dispatches instead of four. */
  readonly greedy?: boolean;
}

/**
 * Samples one token for each sequence, and makes it the next row of the forward pass.
 *
 * The logits are divided by the temperature. top-k keeps the k greatest. top-p keeps the nucleus of the
 * softmax over what top-k keeps. min-p compares with the most likely token. Among the tokens that all
 * three keep, one is sampled with its probability, by a hash of (seed, step, token id). A tie of the
 * argmax goes to the lowest id. NaN and -inf are never sampled unless all logits are.
 *
 * The row becomes a decode row. It attends to keys `0 ..= position`, in sliding-window layers to the
 * last `window` of them, and to cross-attention keys `crossFirst ..= crossLast`. `step` and `position`
 * grow by one, so the next replay samples the next token.
 *
 * @param logits `[B, V]`
 * @param params `[B, SAMPLE_WORDS]` u32, written by `writeSampling` and advanced here
 * @param rows `[R, ROW_WORDS]` u32; no two active slots may have the same row
 * @param tokens `[B]` u32, receives the tokens; that of an idle slot stays as it is
 * @throws TypeError when the shapes don't fit
 */
export function sample(
  g: Graph,
  logits: Tensor,
  params: Tensor,
  rows: Tensor,
  tokens: Tensor,
  { greedy = false }: SampleOptions = {},
): void {
  const [B, V] = logits.shape as [number, number];
  if (`${params.shape}` !== `${[B, SAMPLE_WORDS]}`) {
    throw new TypeError(`sample: params is [${params.shape}], expected [${B},${SAMPLE_WORDS}]`);
  }
  if (`${tokens.shape}` !== `${B}` || rows.shape[1] !== ROW_WORDS) {
    throw new TypeError(
      `sample: tokens is [${tokens.shape}] and rows is [${rows.shape}], ` +
        `expected [${B}] and [R,${ROW_WORDS}]`,
    );
  }
  const share = Math.ceil(V / Math.min(MAX_SHARES, Math.ceil(V / SHARE_LOGITS)));
  const C = Math.ceil(V / share);
  const settings = sampling + random + row;
  const advanced = [params, rows, tokens];

  const partials = g.scratch([B, C, PARTIAL_WORDS], "sample-partials", "u32");
  g.dispatch(
    { name: "sample-reduce", code: reduceShader + settings + best + reduce },
    [[logits, params, partials]],
    [C, B],
  );
  if (greedy) {
    g.dispatch(
      { name: "sample-greedy", code: greedyShader + settings + best + advance },
      [[partials], advanced],
      [B],
    );
    return;
  }

  const bounds = g.scratch([B, BOUNDS_WORDS], "sample-bounds", "u32");
  const counts = g.scratch([B], "sample-counts", "u32");
  const candidates = g.scratch([B, V, CANDIDATE_WORDS], "sample-candidates", "u32");
  g.dispatch(
    { name: "sample-bounds", code: boundsShader + settings + reduce, constants: { V } },
    [[partials, params, bounds, counts]],
    [B],
  );
  g.dispatch(
    { name: "sample-gather", code: gatherShader + settings + best },
    [[logits, params, bounds, counts, candidates]],
    [C, B],
  );
  g.dispatch(
    { name: "sample-choose", code: chooseShader + settings + best + advance },
    [[candidates, counts, bounds], advanced],
    [B],
  );
}
