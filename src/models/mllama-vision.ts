import type { Graph } from "../gpu/graph.ts";
import { type Tensor, reshape } from "../gpu/tensor.ts";
import { splitRows } from "../gpu/weight.ts";
import { addGated } from "../ops/add-gated.ts";
import { add } from "../ops/add.ts";
import { embed } from "../ops/embed.ts";
import { gatherRows } from "../ops/gather-rows.ts";
import { joinChannels } from "../ops/join-channels.ts";
import { linear } from "../ops/linear.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";
import { scatterRows } from "../ops/scatter-rows.ts";
import { type EncoderConfig, encoderLayer } from "./encoder.ts";
import { embedPatches, norm } from "./layers.ts";
import type { VisionPass, VisionTable, VisionTensors, Weights } from "./model.ts";
import { renamedWeights } from "./renamed-weights.ts";
import type { TileGrid } from "./tile-grids.ts";

export interface MllamaTower extends EncoderConfig {
  readonly num_global_layers: number;
  /**
   * Layers whose input is part of the output, as in Meta's code and earlier transformers;
   * transformers 5.23 takes their output, one layer later than the weights were trained for.
   */
  readonly intermediate_layers_indices: readonly number[];
  readonly max_num_tiles: number;
  /** Patches along the edge of a tile. */
  readonly side: number;
  /** Aspect ratio ids, of which 0 is no image's. */
  readonly ratios: number;
}

/** Of the norms before and after the layers, which no config names. */
const NORM_EPS = 1e-5;

/** The reference fills a tile's rows up to a multiple of this, and its rows attend to what fills them. */
const TILE_ROWS_MULTIPLE = 8;

/** Rows that the projector takes at a time. */
const JOINED_ROWS = 2048;

/** @returns rows that a tile has, and those that fill it up */
function tileRowsOf({ side }: Pick<MllamaTower, "side">): { own: number; filling: number } {
  const own = side ** 2 + 1; // its class embedding before those of its patches
  return { own, filling: Math.ceil(own / TILE_ROWS_MULTIPLE) * TILE_ROWS_MULTIPLE - own };
}

/** @returns rows of `mllamaTower`'s output */
export function towerRows(c: Pick<MllamaTower, "side" | "max_num_tiles">): number {
  return c.max_num_tiles * tileRowsOf(c).own;
}

/** Names of the tables of `mllamaPass`. */
export type MllamaTable =
  "rows" | "patches" | "classes" | "positions" | "pre_tiles" | "post_tiles" | "kept";

/**
 * The pass over a canvas of tiles. It always has rows of as many tiles as there may be: first those of
 * the canvas, tile after tile, then those of the tiles that it lacks, then what fills tiles up. Rows of
 * the canvas attend to all, the others to those of the canvas.
 *
 * @param ratio the canvas' aspect ratio id
 */
export function mllamaPass(
  c: MllamaTower,
  { rows, cols }: TileGrid,
  ratio: number,
): VisionPass<MllamaTable> {
  const { side, max_num_tiles: tiles } = c;
  const { own, filling } = tileRowsOf(c);
  const P = tiles * side ** 2;
  const seen = rows * cols * own;
  const T = tiles * (own + filling);
  const all = Array.from({ length: T }, (_, i) => i);
  /** Of each row its tile, and its place in it: 0 is the class embedding's; `own` what fills up. */
  const at = all.map((i) => {
    if (i < tiles * own) return { tile: Math.floor(i / own), place: i % own };
    return { tile: Math.floor((i - tiles * own) / filling), place: own };
  });
  const isPatch = (place: number): boolean => place > 0 && place < own;
  const words = new Uint32Array(T * ROW_WORDS);
  at.forEach(({ tile, place }, i) => {
    const last = (i < seen ? T : seen) - 1;
    // What the row looks up in `tile_embedding`.
    const token = (ratio * tiles + tile) * own + (place % own);
    writeRow(words, i, { ...IDLE_ROW, first: 0, last, windowFirst: 0, token });
  });
  const table = (valueOf: (row: (typeof at)[number], i: number) => number): VisionTable => {
    return { shape: [T], data: Uint32Array.from(at, valueOf) };
  };
  const ofTile = (tile: number): number => ratio * tiles + tile;
  /** One beyond the last row: zeros. */
  const noTile = c.ratios * tiles;
  return {
    P,
    tables: {
      rows: { shape: [T, ROW_WORDS], data: words },
      /** Of each row its patch of the canvas, whose patches come line by line. */
      patches: table(({ tile, place }) => {
        if (tile >= rows * cols || !isPatch(place)) return P;
        const [y, x] = [Math.floor((place - 1) / side), (place - 1) % side];
        return ((Math.floor(tile / cols) * side + y) * cols + (tile % cols)) * side + x;
      }),
      classes: table(({ place }) => (place === 0 ? 0 : 1)),
      positions: table(({ place }) => place % own),
      pre_tiles: table(({ tile, place }) => (isPatch(place) ? ofTile(tile) : noTile)),
      post_tiles: table(({ tile }) => ofTile(tile)),
      /** Rows that are zeros after the first norm: those that fill up. */
      kept: table(({ place }, i) => (place < own ? i : T)),
    },
  };
}

/**
 * Llama 3.2's vision tower: a vision transformer over the tiles of a canvas, with gated embeddings of
 * their places, and a second one whose layers are gated.
 *
 * @param patches `[P, channels * patchSize²]`
 * @param tables of `mllamaPass`
 * @returns the final state `[T, D]`, and the inputs of the tapped layers, each `[T, D]`: the first
 *   `towerRows` are those of the tiles
 */
export function mllamaTower(
  g: Graph,
  w: Weights,
  c: MllamaTower,
  patches: Tensor,
  tables: VisionTensors<MllamaTable>,
): { final: Tensor; tapped: readonly Tensor[] } {
  const embedded = embedPatches(g, w.under("patch_embedding"), patches); // [P, D]
  const first = placed(g, w, c, embedded, tables);
  const normed = norm(g, w.under("layernorm_pre"), first, NORM_EPS);
  let x = gatherRows(g, normed, tables.kept, { more: zeros(g, c) });

  const inputs: Tensor[] = [];
  const local = renamedWeights(w.under("transformer"), encoderName);
  for (let i = 0; i < c.num_hidden_layers; i++) {
    inputs.push(x);
    x = g.capture(`vision.${i}`, encoderLayer(g, local.under(`layers.${i}`), c, tables.rows, x));
  }
  const post = w.under("post_tile_positional_embedding");
  x = norm(g, w.under("layernorm_post"), x, NORM_EPS);
  x = addGated(g, x, ofTiles(g, post, c, tables.post_tiles), post.vector("gate"));
  const global = renamedWeights(w.under("global_transformer"), encoderName);
  for (let i = 0; i < c.num_global_layers; i++) {
    x = encoderLayer(g, global.under(`layers.${i}`), c, tables.rows, x);
    g.capture(`vision_global.${i}`, x);
  }
  return { final: x, tapped: c.intermediate_layers_indices.map((i) => inputs[i] as Tensor) };
}

/**
 * Patch embeddings and class embeddings, with what is learned of their places added.
 *
 * @param embedded `[P, D]`
 * @returns `[T, D]`
 */
function placed(
  g: Graph,
  w: Weights,
  c: MllamaTower,
  embedded: Tensor,
  tables: VisionTensors<MllamaTable>,
): Tensor {
  const none = { more: zeros(g, c) };
  const pre = w.under("pre_tile_positional_embedding");
  const own = reshape(w.vector("class_embedding"), [1, c.hidden_size]);
  const place = w.under("gated_positional_embedding");
  const gate = place.vector("gate");

  let x = gatherRows(g, embedded, tables.patches, none);
  x = addGated(g, x, ofTiles(g, pre, c, tables.pre_tiles), pre.vector("gate"));
  x = add(g, x, gatherRows(g, own, tables.classes, none));
  const inTile = gatherRows(g, place.vector("embedding"), tables.positions);
  x = addGated(g, x, inTile, gate, { complement: true });
  const table = splitRows(place.embedding("tile_embedding.weight"), c.hidden_size);
  return addGated(g, x, embed(g, tables.rows, table), gate);
}

/** What is learned of the tile that each row is in `[T, D]`; zeros for an index beyond the last. */
function ofTiles(g: Graph, w: Weights, c: MllamaTower, tiles: Tensor): Tensor {
  const table = w.vector("embedding.weight"); // [ratios, tiles * D]
  const shape = [c.ratios * c.max_num_tiles, c.hidden_size];
  return gatherRows(g, reshape(table, shape), tiles, { more: zeros(g, c) });
}

/** `[1, D]` */
function zeros(g: Graph, { hidden_size: D }: MllamaTower): Tensor {
  return g.gpu.constant(`zeros ${D}`, [1, D], "f32", () => new Float32Array(D));
}

/** The tower's names of an encoder layer's tensors. */
function encoderName(name: string): string {
  return name
    .replace("layer_norm1", "input_layernorm")
    .replace("layer_norm2", "post_attention_layernorm")
    .replace("self_attn.out_proj", "self_attn.o_proj");
}

/**
 * The projector, some rows at a time: all at once its input would be larger than small devices bind.
 *
 * @param w of the projector
 * @param final `[at least rows, D]`
 * @param tapped each `[at least rows, D]`
 * @param most rows at a time
 * @returns `[rows, O]`
 */
export function projectStates(
  g: Graph,
  w: Weights,
  { final, tapped }: { final: Tensor; tapped: readonly Tensor[] },
  rows: number,
  most = JOINED_ROWS,
): Tensor {
  const matrix = w.matrix("weight");
  const y = g.scratch([rows, matrix.shape[0]], "image embeddings");
  for (let start = 0; start < rows; start += most) {
    const count = Math.min(most, rows - start);
    const joined = g.capture("vision", joinChannels(g, final, tapped, { start, count }));
    const projected = linear(g, joined, matrix, { bias: w.vector("bias") });
    const places = g.gpu.constant(`rows ${start} + ${count}`, [count], "u32", () =>
      Uint32Array.from({ length: count }, (_, i) => start + i),
    );
    scatterRows(g, projected, places, y);
  }
  return y;
}
