import type { Graph } from "../gpu/graph.ts";
import type { Rope } from "../ops/rope-append.ts";

/** How a decoder rotates the channel pairs (c, c + C/2) of each head. */
export interface RopeSettings {
  /** `[C / 2]` radians per position */
  readonly frequencies: readonly number[];
  /** `[C / 2]` which of a token's positions a pair rotates by: 0 temporal, 1 height, 2 width */
  readonly axes: readonly number[];
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

/** Puts RoPE's tables `[C / 2]` on the GPU; equal tables are stored once. */
export function rope(g: Graph, { frequencies, axes }: RopeSettings): Rope {
  const shape = [frequencies.length];
  return {
    inverseFrequencies: g.gpu.constant(`rope ${frequencies}`, shape, "f32", () =>
      Float32Array.from(frequencies),
    ),
    axes: g.gpu.constant(`rope axes ${axes}`, shape, "u32", () => Uint32Array.from(axes)),
  };
}
