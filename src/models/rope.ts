import type { Graph } from "../gpu/graph.ts";
import type { Rope } from "../ops/rope-append.ts";

/** How a decoder rotates the channel pairs (c, c + C/2) of each head. */
export interface RopeSettings {
  /** `[C / 2]` radians per position */
  readonly frequencies: readonly number[];
  /** `[C / 2]` which of a token's positions a pair rotates by: 0 temporal, 1 height, 2 width */
  readonly axes: readonly number[];
  /** Scores of queries and keys are multiplied by this. The reference scales both instead. */
  readonly scoreFactor: number;
}

/**
 * The frequencies of RoPE (arXiv 2104.09864): theta^(-2c/C) for the channel pair (c, c + C/2).
 *
 * @param C channels of a head
 * @returns `[C / 2]` radians per position
 */
export function inverseFrequencies(theta: number, C: number): number[] {
  return Array.from({ length: C / 2 }, (_, c) => theta ** ((-2 * c) / C));
}

/** The settings of Llama 3.1's scaling, in transformers' spelling. */
export interface Llama3Scaling {
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  /** Tokens of the context before it was extended. */
  readonly original_max_position_embeddings: number;
}

/**
 * Llama 3.1's scaling (arXiv 2407.21783): low frequencies are divided by `factor`, high ones stay,
 * and those between are interpolated.
 *
 * @param frequencies `[C / 2]` radians per position
 * @returns `[C / 2]`
 */
export function llama3Frequencies(
  frequencies: readonly number[],
  { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings }: Llama3Scaling,
): number[] {
  return frequencies.map((frequency) => {
    const rotations = (original_max_position_embeddings * frequency) / (2 * Math.PI);
    const kept = (rotations - low_freq_factor) / (high_freq_factor - low_freq_factor);
    const share = Math.min(1, Math.max(0, kept));
    return (1 - share) * (frequency / factor) + share * frequency;
  });
}

/** The settings of YaRN, in transformers' spelling. */
export interface YarnScaling {
  readonly factor: number;
  /** Tokens of the context before it was extended. */
  readonly original_max_position_embeddings: number;
  /** Frequencies with more rotations in that context stay. Default 32. */
  readonly beta_fast?: number | null | undefined;
  /** Frequencies with fewer rotations in that context are divided by `factor`. Default 1. */
  readonly beta_slow?: number | null | undefined;
  /** Whether the channel pairs of the two limits are rounded. Default true. */
  readonly truncate?: boolean | null | undefined;
  /** Scales queries and keys. Default: by `factor`, and `mscale` and `mscale_all_dim` if both are given. */
  readonly attention_factor?: number | null | undefined;
  readonly mscale?: number | null | undefined;
  readonly mscale_all_dim?: number | null | undefined;
}

/**
 * YaRN's scaling (arXiv 2309.00071 §3.2): low frequencies are divided by `factor`, high ones stay, and
 * those between are interpolated by their position in the list.
 *
 * @param frequencies `[C / 2]` radians per position
 * @param theta the base that they were computed from
 * @returns `[C / 2]`
 */
export function yarnFrequencies(
  frequencies: readonly number[],
  theta: number,
  { factor, original_max_position_embeddings, ...settings }: YarnScaling,
): number[] {
  const C = 2 * frequencies.length;
  const pairOf = (rotations: number) =>
    (C * Math.log(original_max_position_embeddings / (rotations * 2 * Math.PI))) /
    (2 * Math.log(theta));
  let [low, high] = [pairOf(settings.beta_fast || 32), pairOf(settings.beta_slow || 1)];
  if (settings.truncate ?? true) [low, high] = [Math.floor(low), Math.ceil(high)];
  [low, high] = [Math.max(low, 0), Math.min(high, C - 1)];
  if (low === high) high += 0.001; // as in the reference
  return frequencies.map((frequency, pair) => {
    const share = Math.min(1, Math.max(0, (pair - low) / (high - low)));
    return share * (frequency / factor) + (1 - share) * frequency;
  });
}

/** By how much YaRN scales scores: the square of what it scales queries and keys by. */
export function yarnScoreFactor({
  factor,
  attention_factor,
  mscale,
  mscale_all_dim,
}: YarnScaling): number {
  const scale = (by: number) => (factor > 1 ? 0.1 * by * Math.log(factor) + 1 : 1);
  const inferred = mscale && mscale_all_dim ? scale(mscale) / scale(mscale_all_dim) : scale(1);
  return (attention_factor ?? inferred) ** 2;
}

/** Puts RoPE's tables `[C / 2]` on the GPU; equal tables are stored once. */
export function rope(
  g: Graph,
  { frequencies, axes }: Pick<RopeSettings, "frequencies" | "axes">,
): Rope {
  const shape = [frequencies.length];
  return {
    inverseFrequencies: g.gpu.constant(`rope ${frequencies}`, shape, "f32", () =>
      Float32Array.from(frequencies),
    ),
    axes: g.gpu.constant(`rope axes ${axes}`, shape, "u32", () => Uint32Array.from(axes)),
  };
}
