import type { Gpu } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";

/** Rows `[tiles * P, ROW_WORDS]` of patches that attend to all P patches of their own tile. */
export function tileRows(gpu: Gpu, tiles: number, P: number): Tensor {
  return gpu.constant(`rows of ${tiles} tiles of ${P}`, [tiles * P, ROW_WORDS], "u32", () => {
    const words = new Uint32Array(tiles * P * ROW_WORDS);
    for (let i = 0; i < tiles * P; i++) {
      const first = Math.floor(i / P) * P;
      writeRow(words, i, { ...IDLE_ROW, first, last: first + P - 1, windowFirst: first });
    }
    return words;
  });
}
