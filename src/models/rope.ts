import type { Graph } from "../gpu/graph.ts";
import type { Rope } from "../ops/rope-append.ts";

/**
 * RoPE's tables (arXiv 2104.09864): the channel pairs (c, c + C/2) turn by theta^(-2c/C) a position.
 *
 * @param C channels per head
 * @param axes `[C / 2]` which of a row's positions each pair turns by: 0 temporal, 1 height, 2 width
 */
export function ropeTables(g: Graph, theta: number, C: number, axes: readonly number[]): Rope {
  const pairs = C / 2;
  return rope(
    g,
    Array.from({ length: pairs }, (_, c) => theta ** ((-2 * c) / C)),
    axes,
  );
}

/** @returns the tables of given inverse frequencies and axes, both `[C / 2]` */
export function rope(g: Graph, frequencies: readonly number[], axes: readonly number[]): Rope {
  const shape = [frequencies.length];
  return {
    inverseFrequencies: g.gpu.constant(`rope ${frequencies}`, shape, "f32", () =>
      Float32Array.from(frequencies),
    ),
    axes: g.gpu.constant(`rope axes ${axes}`, shape, "u32", () => Uint32Array.from(axes)),
  };
}
