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

/** Lanes of the kernels that finish a sequence: the shares that a vocabulary can be cut into. */
const MAX_SHARES = 128;
/** Logits that make another workgroup worth its start: 16 a lane. */
const SHARE_LOGITS = 512;

const PARTIAL_WORDS = 3;
const BOUNDS_WORDS = 4;
const CANDIDATE_WORDS = 2;

/** `temperature` below this is greedy: beyond it the logits' own rounding is all there is. */
const LOWEST_TEMPERATURE = 1e-5;
/** Stands for ln 0, and stays finite when a temperature multiplies it. */
const LOG_ZERO = -1e30;

/** How the tokens of one sequence are drawn, and where they go. */
export interface SequenceSampling {
  /** 0 is greedy; then nothing else of topK, topP, minP and seed matters. */
  readonly temperature: number;
  /** Keep the k most likely; 0 keeps all. What ties with the k-th is kept too. */
  readonly topK: number;
  /** Keep the most likely whose probabilities sum to `topP`, in (0, 1]; ties are kept together. */
  readonly topP: number;
  /** Keep what has at least `minP` times the probability of the most likely, in [0, 1]. */
  readonly minP: number;
  /** An integer; its low 64 bits count. */
  readonly seed: number;
  /** Tokens drawn so far: number of the first draw. */
  readonly step?: number;
  /** Index of the row that receives each token; `NOWHERE` makes the slot idle. */
  readonly row: number;
  /** Position that the next token will have. */
  readonly position: number;
  /** Page table of the sequence. */
  readonly sequence?: number;
  /** Rotary position minus position, on all three axes (M-RoPE's `rope_delta`). */
  readonly ropeOffset?: number;
  /** Keys that sliding-window layers see, the token's own included; 0 where there are none. */
  readonly window?: number;
  /** Image keys `crossFirst ..= crossLast` that the tokens see; by default none. */
  readonly crossFirst?: number;
  readonly crossLast?: number;
}

/** A slot that draws nothing and writes nothing. */
export const IDLE_SAMPLING: SequenceSampling = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  seed: 0,
  row: NOWHERE,
  position: 0,
};

/** Writes the settings of slot `b` into the words of a `[B, SAMPLE_WORDS]` tensor. */
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
  /** Take the most likely token whatever the settings say; two dispatches instead of four. */
  readonly greedy?: boolean;
}

/**
 * Draws one token for each sequence and makes it the next row of the forward pass.
 *
 * The logits are divided by the temperature; top-k keeps the k greatest; top-p keeps the nucleus of
 * the softmax over what top-k keeps; min-p compares with the most likely. One of what all three keep
 * is drawn in proportion to its probability, by a hash of (seed, step, token id). Ties of the argmax
 * go to the lowest id; NaN and -inf are never drawn while there is anything else.
 *
 * The row becomes a decode row: it attends to `0 ..= position`, to the last `window` of these on
 * sliding-window layers, and to cross-attention keys `crossFirst ..= crossLast`. `step` and `position` advance by
 * one, so a replay draws the next token.
 *
 * @param logits `[B, V]`
 * @param params `[B, SAMPLE_WORDS]` u32, written by `writeSampling`, advanced here
 * @param rows `[R, ROW_WORDS]` u32; active slots must name different rows
 * @param tokens `[B]` u32, receives the tokens; an idle slot's stays as it is
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
