import type { Graph } from "../gpu/graph.ts";
import type { Rope } from "../ops/rope-append.ts";
import type { Llama3Scaling } from "./config.ts";

/**
 * RoPE's tables (arXiv 2104.09864): the channel pairs (c, c + C/2) turn by theta^(-2c/C) a position.
 *
 * @param C channels per head
 * @param axes `[C / 2]` which of a row's positions each pair turns by: 0 temporal, 1 height, 2 width
 */
export function ropeTables(g: Graph, theta: number, C: number, axes: readonly number[]): Rope {
  return rope(g, inverseFrequencies(theta, C), axes);
}

/** @returns radians per position of each channel pair, `[C / 2]` */
export function inverseFrequencies(theta: number, C: number): number[] {
  return Array.from({ length: C / 2 }, (_, c) => theta ** ((-2 * c) / C));
}

/**
 * Llama 3.1's scaling: pairs that turn slowly turn `factor` times slower, fast ones as before, and
 * those between a bit of both.
 *
 * @param frequencies radians per position
 */
export function llama3Frequencies(
  frequencies: readonly number[],
  { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings }: Llama3Scaling,
): number[] {
  return frequencies.map((frequency) => {
    const turns = (original_max_position_embeddings * frequency) / (2 * Math.PI);
    const kept = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
    const share = Math.min(1, Math.max(0, kept));
    return (1 - share) * (frequency / factor) + share * frequency;
  });
}

/** @returns the tables of given inverse frequencies and axes, both `[C / 2]`; by default one axis */
export function rope(
  g: Graph,
  frequencies: readonly number[],
  axes: readonly number[] = frequencies.map(() => 0),
): Rope {
  const shape = [frequencies.length];
  return {
    inverseFrequencies: g.gpu.constant(`rope ${frequencies}`, shape, "f32", () =>
      Float32Array.from(frequencies),
    ),
    axes: g.gpu.constant(`rope axes ${axes}`, shape, "u32", () => Uint32Array.from(axes)),
  };
}
