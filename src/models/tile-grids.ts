import type { Tile } from "./model.ts";

/** Tiles across and down. */
export interface TileGrid {
  readonly cols: number;
  readonly rows: number;
}

/** All grids of so many tiles, from few to many, and of as many from narrow to wide. */
export function tileGrids(least: number, most: number): TileGrid[] {
  const grids: TileGrid[] = [];
  for (let cols = 1; cols <= most; cols++) {
    for (let rows = 1; rows <= most; rows++) {
      if (cols * rows >= least && cols * rows <= most) grids.push({ cols, rows });
    }
  }
  return grids.sort((a, b) => a.cols * a.rows - b.cols * b.rows);
}

/**
 * The grid of the closest proportions; of several the largest of which the image's pixels fill
 * more than half. One tile where there are none.
 */
export function closestGrid(
  [width, height]: readonly [number, number],
  grids: readonly TileGrid[],
  tilePixels: number,
): TileGrid {
  let best: TileGrid = { cols: 1, rows: 1 };
  let least = Infinity;
  for (const grid of grids) {
    const difference = Math.abs(width / height - grid.cols / grid.rows);
    const filled = width * height > 0.5 * tilePixels * grid.cols * grid.rows;
    if (difference < least || (difference === least && filled)) best = grid;
    least = Math.min(least, difference);
  }
  return best;
}

/** The tiles of a grid, row by row. `first` is the upper left one, and the others have its size. */
export function tilesOf({ cols, rows }: TileGrid, first: Tile): Tile[] {
  return Array.from({ length: cols * rows }, (_, i) => ({
    ...first,
    x: first.x + (i % cols) * first.width,
    y: first.y + Math.floor(i / cols) * first.height,
  }));
}
