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
import { checkSizes } from "./config.ts";
import { type EncoderConfig, encoderLayer } from "./encoder.ts";
import { embedPatches, norm } from "./layers.ts";
import type { VisionPass, VisionTable, VisionTensors, Weights } from "./model.ts";
import { renamedWeights } from "./renamed-weights.ts";
import type { TileGrid } from "./tile-grids.ts";

export interface MllamaTower extends EncoderConfig {
  readonly num_global_layers: number;
  /**
   * Layers whose input is part of the output, as in Meta's code and earlier transformers.
   * transformers 5.23 takes their output, one layer later than the weights were trained for.
   */
  readonly intermediate_layers_indices: readonly number[];
  readonly max_num_tiles: number;
  /** Patches along the edge of a tile. */
  readonly side: number;
  /** Number of aspect ratio ids; no image has id 0. */
  readonly ratios: number;
}

/** Of the norms before and after the layers; no config has it. */
const NORM_EPS = 1e-5;

/** The reference pads the rows of a tile to a multiple of this, and attends to the padding. */
const TILE_ROWS_MULTIPLE = 8;

/** Rows that the projector computes at a time. */
const PROJECTED_ROWS = 2048;

/** @returns the rows of a tile's class embedding and patches, and the rows of its padding */
function tileRowCounts({ side }: Pick<MllamaTower, "side">): { own: number; padding: number } {
  const own = 1 + side ** 2;
  return { own, padding: Math.ceil(own / TILE_ROWS_MULTIPLE) * TILE_ROWS_MULTIPLE - own };
}

/** @returns rows of the tower's output that belong to tiles: those without the padding */
export function towerRows(c: Pick<MllamaTower, "side" | "max_num_tiles">): number {
  return c.max_num_tiles * tileRowCounts(c).own;
}

/** Names of the tables of `mllamaPass`. */
export type MllamaTable =
  "rows" | "patches" | "classes" | "positions" | "pre_tiles" | "post_tiles" | "kept";

/** One of the tower's rows: a class embedding's, a patch's or a row of padding. */
interface TowerRow {
  readonly tile: number;
  /** Within the tile: 0 is the class embedding, 1 ... side² are patches, `own` is padding. */
  readonly index: number;
}

/**
 * The pass over a canvas of tiles. It always has the rows of `max_num_tiles` tiles: first those of the
 * canvas, tile after tile, then those of the missing tiles, then the padding of all tiles. Rows of the
 * canvas attend to all rows, the others to the rows of the canvas.
 *
 * @param ratio the aspect ratio id of the canvas
 */
export function mllamaPass(
  c: MllamaTower,
  { rows, cols }: TileGrid,
  ratio: number,
): VisionPass<MllamaTable> {
  const { side, max_num_tiles: tiles } = c;
  const { own, padding } = tileRowCounts(c);
  const P = tiles * side ** 2;
  const canvasRows = rows * cols * own;
  const T = tiles * (own + padding);
  const all = Array.from({ length: T }, (_, i): TowerRow => {
    if (i < tiles * own) return { tile: Math.floor(i / own), index: i % own };
    return { tile: Math.floor((i - tiles * own) / padding), index: own };
  });
  const isPatch = ({ index }: TowerRow): boolean => index > 0 && index < own;
  const words = new Uint32Array(T * ROW_WORDS);
  all.forEach(({ tile, index }, i) => {
    const last = (i < canvasRows ? T : canvasRows) - 1;
    const token = (ratio * tiles + tile) * own + (index % own); // its row of `tile_embedding`
    writeRow(words, i, { ...IDLE_ROW, first: 0, last, windowFirst: 0, token });
  });
  const table = (valueOf: (row: TowerRow, i: number) => number): VisionTable => {
    return { shape: [T], data: Uint32Array.from(all, valueOf) };
  };
  const tileIndex = ({ tile }: TowerRow): number => ratio * tiles + tile;
  const noTile = c.ratios * tiles; // beyond the last tile embedding: zeros
  return {
    P,
    tables: {
      rows: { shape: [T, ROW_WORDS], data: words },
      /** Each row's patch of the canvas, whose patches are ordered line by line; P for none. */
      patches: table((row) => {
        const { tile, index } = row;
        if (tile >= rows * cols || !isPatch(row)) return P;
        const [y, x] = [Math.floor((index - 1) / side), (index - 1) % side];
        return ((Math.floor(tile / cols) * side + y) * cols + (tile % cols)) * side + x;
      }),
      /** 0 for a class embedding, 1 for none. */
      classes: table(({ index }) => (index === 0 ? 0 : 1)),
      /** The learned position of each row. */
      positions: table(({ index }) => index % own),
      /** The tile embedding that each row gets before the layers, and after the first ones. */
      pre_tiles: table((row) => (isPatch(row) ? tileIndex(row) : noTile)),
      post_tiles: table(tileIndex),
      /** Each row itself, and T for padding, which is zeros after the first norm. */
      kept: table(({ index }, i) => (index < own ? i : T)),
    },
  };
}

/** The tower's output. The first `towerRows` rows of each tensor `[T, D]` are those of the tiles. */
interface TowerStates {
  readonly final: Tensor;
  /** The inputs of the layers `intermediate_layers_indices`. */
  readonly intermediate: readonly Tensor[];
}

/**
 * Llama 3.2's vision tower: a vision transformer over the tiles of a canvas with gated position and
 * tile embeddings, and a second transformer whose layers are gated.
 *
 * @param patches `[P, channels * patchSize²]`
 * @param tables those of `mllamaPass`
 */
export function mllamaTower(
  g: Graph,
  w: Weights,
  c: MllamaTower,
  patches: Tensor,
  tables: VisionTensors<MllamaTable>,
): TowerStates {
  const embedded = embedPatches(g, w.under("patch_embedding"), patches); // [P, D]
  checkSizes("vision_config", c, { hidden_size: embedded.shape[1] });
  const positioned = addPositions(g, w, c, embedded, tables);
  const normed = norm(g, w.under("layernorm_pre"), positioned, NORM_EPS);
  let x = gatherRows(g, normed, tables.kept, { more: zeros(g, c) });

  const inputs: Tensor[] = [];
  const local = renamedWeights(w.under("transformer"), encoderName);
  for (let i = 0; i < c.num_hidden_layers; i++) {
    inputs.push(x);
    x = g.capture(`vision.${i}`, encoderLayer(g, local.under(`layers.${i}`), c, tables.rows, x));
  }
  const post = w.under("post_tile_positional_embedding");
  x = norm(g, w.under("layernorm_post"), x, NORM_EPS);
  x = addGated(g, x, tileEmbeddings(g, post, c, tables.post_tiles), post.vector("gate"));
  const global = renamedWeights(w.under("global_transformer"), encoderName);
  for (let i = 0; i < c.num_global_layers; i++) {
    x = encoderLayer(g, global.under(`layers.${i}`), c, tables.rows, x);
    g.capture(`vision_global.${i}`, x);
  }
  const intermediate = c.intermediate_layers_indices.map((i) => inputs[i] as Tensor);
  return { final: x, intermediate };
}

/**
 * Patch embeddings and class embeddings, plus the embeddings of their positions and tiles.
 *
 * @param embedded `[P, D]`
 * @returns `[T, D]`
 */
function addPositions(
  g: Graph,
  w: Weights,
  c: MllamaTower,
  embedded: Tensor,
  tables: VisionTensors<MllamaTable>,
): Tensor {
  const orZeros = { more: zeros(g, c) };
  const pre = w.under("pre_tile_positional_embedding");
  const ofClass = reshape(w.vector("class_embedding"), [1, c.hidden_size]);
  const position = w.under("gated_positional_embedding");
  const gate = position.vector("gate");

  let x = gatherRows(g, embedded, tables.patches, orZeros);
  x = addGated(g, x, tileEmbeddings(g, pre, c, tables.pre_tiles), pre.vector("gate"));
  x = add(g, x, gatherRows(g, ofClass, tables.classes, orZeros));
  const inTile = gatherRows(g, position.vector("embedding"), tables.positions);
  x = addGated(g, x, inTile, gate, { complement: true });
  const tiles = position.embedding("tile_embedding.weight", c.hidden_size);
  const table = splitRows(tiles, c.hidden_size);
  return addGated(g, x, embed(g, tables.rows, table), gate);
}

/** The embedding `[T, D]` of each row's tile; zeros for an index beyond the last. */
function tileEmbeddings(g: Graph, w: Weights, c: MllamaTower, tiles: Tensor): Tensor {
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
 * The projector. It computes some rows at a time: its whole input would be larger than small devices
 * bind.
 *
 * @param w with the projector's `weight` and `bias`
 * @param states each `[at least rows, D]`
 * @param maxRows rows at a time
 * @returns `[rows, O]`
 */
export function projectStates(
  g: Graph,
  w: Weights,
  { final, intermediate }: TowerStates,
  rows: number,
  maxRows = PROJECTED_ROWS,
): Tensor {
  const matrix = w.matrix("weight");
  const y = g.scratch([rows, matrix.shape[0]], "image embeddings");
  for (let start = 0; start < rows; start += maxRows) {
    const count = Math.min(maxRows, rows - start);
    const joined = g.capture("vision", joinChannels(g, final, intermediate, { start, count }));
    const projected = linear(g, joined, matrix, { bias: w.vector("bias") });
    const indices = g.gpu.constant(`rows ${start} + ${count}`, [count], "u32", () =>
      Uint32Array.from({ length: count }, (_, i) => start + i),
    );
    scatterRows(g, projected, indices, y);
  }
  return y;
}
