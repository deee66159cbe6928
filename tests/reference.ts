import type { ImageLayout } from "../src/models/model.ts";
import { blockOrder } from "../src/models/patch-blocks.ts";
import type { GoldenCase } from "./golden.ts";

/** A value that is computed here, and the recorded one that it must equal. */
export type Pair = readonly [actual: unknown, recorded: unknown];

/** The tile that a recorded tensor belongs to. */
export interface TileOf {
  readonly layout: ImageLayout;
  /** As in `ImageProcessor.merge`. */
  readonly merge: number;
}

/** Where the goldens of a family record other things, or record them otherwise, than they are here. */
export interface Reference {
  /** Recorded tensors that nothing here computes. */
  readonly unused?: readonly string[];
  /** Whether the recorded tensors of tiles are filled up behind the tile's own rows. */
  readonly isFilledUp?: boolean;
  /** The recorded fields of a case that say how its images are laid out. */
  layouts?(layouts: readonly ImageLayout[], golden: GoldenCase): readonly Pair[];
  /** Rows `[P, D]` of a tile, of a capture or of patches, in the recorded order. */
  tileRows?(rows: ArrayLike<number>, D: number, tile: TileOf): ArrayLike<number>;
  /** Rows `[T, D]` of the capture of a tower's layer in the recorded order. */
  layerRows?(rows: ArrayLike<number>, D: number): ArrayLike<number>;
  /**
   * More recorded tensors that follow from the images' layouts.
   *
   * @param size the number of values of a recorded tensor
   */
  tables?(
    layouts: readonly ImageLayout[],
    size: (name: string) => number,
  ): Readonly<Record<string, readonly number[]>>;
}

const gridsOf = (layouts: readonly ImageLayout[]) =>
  layouts.flatMap(({ grid, tiles }) => tiles.map((tile) => tile.grid ?? grid));

/** Rows and columns of tiles. The reference counts an image that is not split as 1 x 1. */
const splits = (layouts: readonly ImageLayout[], { rows_cols = [] }: GoldenCase): Pair => [
  layouts.map(({ rows, cols }) => [rows, cols]),
  rows_cols.map(([rows, cols]) => (rows * cols === 1 ? [0, 0] : [rows, cols])),
];

export const smolvlmReference: Reference = {
  layouts: (layouts, golden) => [splits(layouts, golden)],
};

export const qwenVlReference: Reference = {
  layouts: (layouts, { image_grid_thw = [] }) => [
    [layouts.map(({ grid }) => [1, ...grid]), image_grid_thw],
  ],
};

export const onevisionReference: Reference = {
  unused: ["vision"], // after a norm that the connector does not read
  layouts(layouts, { image_sizes = [], pixel_values_shape = [] }) {
    if (layouts.length === 0) return [];
    const tiles = layouts.map(({ tiles }) => tiles.length);
    return [
      [layouts.map(({ size: [width, height] }) => [height, width]), image_sizes],
      [[layouts.length, Math.max(...tiles)], pixel_values_shape.slice(0, 2)],
    ];
  },
};

export const llavaReference: Reference = {
  unused: ["vision", "vision.2"], // the last layer
};

export const internvlReference: Reference = {
  layouts: (layouts, { tiles_per_image = [] }) => [
    [layouts.map(({ tiles }) => tiles.length), tiles_per_image],
  ],
};

/** The reference keeps the patches of a tile row by row. Here they come in blocks of merge x merge. */
export const lfm2VlReference: Reference = {
  unused: ["vision"], // filled up; connector_in is not
  isFilledUp: true,
  layouts: (layouts, golden) => [
    splits(layouts, golden),
    [gridsOf(layouts), golden.spatial_shapes ?? []],
  ],
  tileRows(rows, D, { layout: { grid }, merge }) {
    const ordered: number[] = [];
    blockOrder({ grid }, merge).forEach(({ y, x }, p) => {
      for (let i = 0; i < D; i++) ordered[(y * grid[1] + x) * D + i] = rows[p * D + i] as number;
    });
    return ordered;
  },
  tables(layouts, size) {
    const [height, width] = layouts[0]?.grid ?? [0, 0];
    const mask = Array.from({ length: size("pixel_attention_mask") }, (_, i) =>
      Number(i < height * width),
    );
    return { spatial_shapes: gridsOf(layouts).flat(), pixel_attention_mask: mask };
  },
};

/** Rows of a tile of Llama 3.2's goldens, and those that the reference fills it up with. */
const [OWN, FILLED] = [17, 24];
const TILES = 4;

export const mllamaReference: Reference = {
  // Its processor's tables of a canvas. The ranges of keys have tests of their own.
  unused: ["aspect_ratio_ids", "aspect_ratio_mask", "cross_attention_mask"],
  layouts: (layouts, { tiles: [tiles = []] = [] }) => [
    [layouts.map(({ rows, cols }) => rows * cols || 1), tiles],
  ],
  /** The reference fills up each tile. Here the rows that fill up come after all tiles. */
  layerRows(rows, D) {
    const place = (row: number): number => {
      const [first, inImage] = [row - (row % (TILES * FILLED)), row % (TILES * FILLED)];
      const [tile, inTile] = [Math.floor(inImage / FILLED), inImage % FILLED];
      const isOwn = inTile < OWN;
      return (
        first + (isOwn ? tile * OWN + inTile : TILES * OWN + tile * (FILLED - OWN) + inTile - OWN)
      );
    };
    return Array.from(rows, (_, i) => rows[place(Math.floor(i / D)) * D + (i % D)] as number);
  },
};
