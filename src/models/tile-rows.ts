import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";
import type { VisionTable } from "./model.ts";

/**
 * Patch rows `[P, ROW_WORDS]` for patches that attend to all patches of their own tile. The rows beyond
 * the tiles are idle.
 *
 * @param tilePatches patches of each tile
 * @param P number of patch rows
 */
export function tileRows(tiles: number, tilePatches: number, P: number): VisionTable {
  const data = new Uint32Array(P * ROW_WORDS);
  for (let i = 0; i < P; i++) {
    const first = Math.floor(i / tilePatches) * tilePatches;
    const last = first + tilePatches - 1;
    const row = { ...IDLE_ROW, first, last, windowFirst: first };
    writeRow(data, i, i < tiles * tilePatches ? row : IDLE_ROW);
  }
  return { shape: [P, ROW_WORDS], data };
}
