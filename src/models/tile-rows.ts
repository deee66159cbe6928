import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";
import type { VisionTable } from "./model.ts";

/**
 * Rows `[P, ROW_WORDS]` of patches that attend to all patches of their own tile.
 *
 * @param tilePatches patches of each tile
 * @param P rows of the table, idle beyond the tiles
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
