import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Weight } from "../gpu/weight.ts";
import type { LayerCache } from "../ops/cache.ts";

/** Parsed JSON files of a checkpoint, by name ("config.json", "preprocessor_config.json", ...). */
export type CheckpointFiles = Readonly<Record<string, unknown>>;

/** The checkpoint's tensors as a model asks for them while it is recorded. */
export interface Weights {
  /** The same weights with `prefix.` before every name. */
  under(prefix: string): Weights;
  has(name: string): boolean;
  /** A matrix `[O, D]` in the format chosen at load; several names are stacked by rows. */
  matrix(name: string | readonly string[]): Weight;
  /** A vector (or any small tensor) in f32; several names are concatenated. */
  vector(name: string | readonly string[]): Tensor;
}

/** The text side's numbers that the engine needs. */
export interface TextShape {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly max_position_embeddings: number;
}

export type ResizeFilter = "bilinear" | "bicubic" | "lanczos";

/** One antialiased resize, rounded to bytes; `from` 0 is the decoded picture, n the n-th resize. */
export interface Resize {
  readonly from: number;
  readonly width: number;
  readonly height: number;
  readonly filter: ResizeFilter;
}

/** A rectangle of a picture (`from` as in `Resize`) that the vision tower sees in one piece. */
export interface Tile {
  readonly from: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What becomes of one picture: pure arithmetic on its size. */
export interface ImageLayout {
  readonly resizes: readonly Resize[];
  readonly tiles: readonly Tile[];
  /** Tiles by row and column; 0 x 0 where the picture is not split. */
  readonly rows: number;
  readonly cols: number;
  /** Rows of image embeddings that it takes in the prompt. */
  readonly tokenCount: number;
  /** What stands in the prompt for the template's placeholder. */
  readonly prompt: string;
}

export interface ImageProcessor {
  /** What the chat template writes for an image, and its text in the expanded prompt. */
  readonly placeholder: string;
  /** The token id that stands for one image row in `ImageLayout.prompt`. */
  readonly imageTokenId: number;
  readonly patchSize: number;
  /** Per channel; pixel = (byte * rescale - mean) / std. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly rescale: number;
  /** @param detail OpenAI's `image_url.detail` */
  layout(width: number, height: number, detail: "auto" | "low" | "high"): ImageLayout;
}

/** A model family applied to one checkpoint's configuration. */
export interface Model {
  readonly text: TextShape;
  readonly processor: ImageProcessor;
  /** Patches of one tile, and the image rows that they become. */
  readonly patchesPerTile: number;
  readonly rowsPerTile: number;
  /**
   * Vision tower and connector.
   *
   * @param patches `[tiles * P, channels * patchSize * patchSize]`
   * @returns image embeddings `[tiles * rowsPerTile, D]`
   */
  vision(g: Graph, w: Weights, patches: Tensor, tiles: number): Tensor;
  /**
   * Embedding and decoder layers.
   *
   * @param rows `[T, ROW_WORDS]` u32
   * @param images image embeddings `[N, D]`
   * @returns hidden states `[T, D]`, before the final norm
   */
  forward(g: Graph, w: Weights, rows: Tensor, images: Tensor, cache: readonly LayerCache[]): Tensor;
  /**
   * Final norm and language-model head.
   *
   * @param hidden `[B, D]`
   * @returns logits `[B, V]`
   */
  head(g: Graph, w: Weights, hidden: Tensor): Tensor;
}

/** A family: one file, and one line in the registry. Throws Error naming a field that is missing. */
export type Family = (files: CheckpointFiles) => Model;
