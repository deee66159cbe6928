import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { ConvCache, LayerCache } from "../ops/cache.ts";
import type { Rectangle } from "../ops/unpack-image.ts";
import type { Weights } from "../weights/weights.ts";

/** Parsed JSON files of a checkpoint, by name ("config.json", "preprocessor_config.json", ...). */
export type CheckpointFiles = Readonly<Record<string, unknown>>;

export type { Weights };

/** The numbers of the text side that the engine needs. */
export interface TextShape {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  /** Layers that keep keys and values. Default: all. */
  readonly num_kv_layers?: number;
  /** Layers that keep the state of a short convolution. Default: none. */
  readonly num_conv_layers?: number;
  /** Positions that a short convolution is over, its own included. */
  readonly conv_L_cache?: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly max_position_embeddings: number;
  /** Keys that a token attends to in layers with a sliding window, its own key included. */
  readonly sliding_window?: number | undefined;
}

export type ResizeFilter = "nearest" | "bilinear" | "bicubic" | "lanczos";

/** A width and a height, in pixels unless its use says otherwise. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** One antialiased resize to a size in pixels. Its result is rounded to bytes. */
export interface Resize extends Size {
  /** The image that is resized: 0 is the decoded image, n the result of the n-th resize. */
  readonly from: number;
  /** The part of it that is resized. Default: all of it. The part may reach beyond the image. */
  readonly part?: Rectangle;
  /** The part of the result that is kept. Default: all of it. */
  readonly crop?: Rectangle;
  readonly filter: ResizeFilter;
}

/** A rectangle that the vision tower sees in one piece. It may reach beyond the image. */
export interface Tile extends Rectangle {
  /** The image that the tile is cut from, as in `Resize`. */
  readonly from: number;
  /** Patches of the tile. Default: `ImageLayout.grid`. */
  readonly grid?: readonly [height: number, width: number];
}

/**
 * How one image is resized, cut into tiles and written into the prompt, computed from its size. An
 * image row is one row of the image embeddings, and takes one token of the prompt.
 */
export interface ImageLayout {
  /** The image's own size. */
  readonly size: readonly [width: number, height: number];
  readonly resizes: readonly Resize[];
  readonly tiles: readonly Tile[];
  /** RGBA8 of the pixels beyond an image. Default: black. */
  readonly background?: number;
  /** The grid of tiles; 0 x 0 where the image is not split. */
  readonly rows: number;
  readonly cols: number;
  /** Patches of each tile that has no grid of its own. */
  readonly grid: readonly [height: number, width: number];
  /** Tokens that the image takes in the prompt. */
  readonly tokenCount: number;
  /** The text that replaces the template's placeholder in the prompt. */
  readonly prompt: string;
  /**
   * With `Model.crossAttention`: keys of this image that tokens from the image on attend to.
   * Default: all.
   */
  readonly attendedKeys?: number;
}

/**
 * The cross-attention states of an image: keys and values that tokens of the prompt attend to. Tokens
 * from an image on attend to its `attendedKeys`, up to the next image; consecutive images are
 * attended to together. Tokens before the first image attend to all keys of all images.
 */
export interface CrossAttentionShape {
  /** Keys of each image. */
  readonly rows: number;
  /** Channels of a key, and of a value. */
  readonly width: number;
}

/** How many pixels an image is resized to, at least and at most. */
export interface PixelRange {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/** The image processing of a family, with the settings of a checkpoint. */
export interface ImageProcessor {
  /** The text that the chat template writes for an image; `ImageLayout.prompt` replaces it. */
  readonly placeholder: string;
  /** The chat template for checkpoints that have none. */
  readonly chatTemplate?: string;
  /** Whether prompts without an image are refused. */
  readonly needsImage?: boolean;
  /**
   * Adds special tokens to a prompt, for families whose processor does that instead of the tokenizer.
   *
   * @param pieces the chat template's text, split at the placeholders
   * @param isOpen whether the text ends in the beginning of an answer
   * @returns as many pieces
   */
  frame?(pieces: readonly string[], options: { readonly isOpen: boolean }): readonly string[];
  /** The id of the token in `ImageLayout.prompt` that an image row replaces. */
  readonly imageTokenId: number;
  /** Pixels along the edge of a patch. */
  readonly patchSize: number;
  /** The patches of a tile come in blocks of merge x merge; 1: row by row. */
  readonly merge: number;
  /** A still image is repeated this many times in a patch `[channels, frames, p, p]`. */
  readonly frames: number;
  /** Whether a patch is `[frames, p, p, channels]` instead. */
  readonly channelsLast?: boolean;
  /** Normalisation per channel: (byte * rescale - mean) / std. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly rescale: number;
  /** Whether `layout` takes `pixels`. Default false. */
  readonly takesPixelLimits?: boolean;
  /**
   * Lays one image out.
   *
   * @param width in pixels
   * @param height in pixels
   * @param detail OpenAI's `image_url.detail`
   * @param images number of images in the prompt, 1 by default
   * @param pixels replace the checkpoint's limits, where the family has such limits
   * @throws RangeError for a size that the family can't process
   */
  layout(
    width: number,
    height: number,
    detail: "auto" | "low" | "high",
    images?: number,
    pixels?: PixelRange,
  ): ImageLayout;
}

/** A table that the vision side reads besides the patches, computed from an image's layout. */
export interface VisionTable {
  readonly shape: readonly number[];
  readonly data: Uint32Array | Float32Array;
}

/** One pass of the vision side. `K` are the names of its tables. */
export interface VisionPass<K extends string = string> {
  /** Patches that the pass has room for: those of its tiles, or a bucket that holds them. */
  readonly P: number;
  /** Tables whose shapes depend on P alone. */
  readonly tables: Readonly<Record<K, VisionTable>>;
}

/** The tables of a `VisionPass<K>` on the GPU. */
export type VisionTensors<K extends string = string> = Readonly<Record<K, Tensor>>;

/**
 * How the rows that the passes over an image's tiles compute become its image rows. `K` are the
 * names of the tables.
 */
export interface ImagePacking<K extends string = string> {
  /** Tables whose shapes may depend on the layout. */
  tables(layout: ImageLayout): Readonly<Record<K, VisionTable>>;
  /**
   * @param rows rows of all tiles `[tiles * P / patchesPerRow, D]`
   * @returns image rows `[N, D]`
   */
  record(g: Graph, w: Weights, rows: Tensor, tables: VisionTensors<K>): Tensor;
}

/** The patches of one image, tile after tile, on the GPU. */
export interface PatchSource {
  readonly tiles: number;
  /**
   * Writes the patches of tiles `first .. first + count - 1` to the beginning of `into`.
   *
   * @param into `[at least count * P, channels * frames * patchSize²]`
   * @throws RangeError when the tiles don't exist, or `into` is too small for them
   */
  write(first: number, count: number, into: Tensor): void;
  release(): void;
}

/** The RoPE positions of a prompt. */
export interface PromptPositions {
  /** `[T, 3]`: temporal, height, width */
  readonly positions: Uint32Array;
  /** Added to the index of every token after the prompt. */
  readonly offset: number;
}

/**
 * A model family applied to one checkpoint's configuration. `K` are the names of its vision tables:
 * `vision` must be called with tables that `visionPass` of the same model made.
 */
export interface Model<K extends string = string> {
  readonly text: TextShape;
  readonly processor: ImageProcessor;
  /**
   * @param name of a tensor, as the model asks for it
   * @returns the names that the tensor may have in a checkpoint; the first one that is there counts
   */
  storedNames?(name: string): readonly string[];
  /** Patches that become one image row. */
  readonly patchesPerRow: number;
  /**
   * Tokens that attend to one another, later ones included: the tokens of each image, or the whole
   * prompt. Default: none.
   */
  readonly bidirectional?: "images" | "prompt";
  /** Number of tensors that `vision` returns: the embeddings, and the states of deeper layers. */
  readonly imageStates: number;
  /**
   * Present where tokens attend to images by cross-attention. Then an image takes one token, whose id
   * is in the vocabulary, and the image states are keys and values `[rows, width]` of each image.
   */
  readonly crossAttention?: CrossAttentionShape;
  /**
   * Describes a pass over `tiles` tiles of an image.
   *
   * @param layout its `grid` is that of the tiles
   */
  visionPass(layout: ImageLayout, tiles: number): VisionPass<K>;
  /**
   * Records vision tower and connector.
   *
   * @param patches `[P, channels * frames * patchSize²]`
   * @param tables those of `visionPass`
   * @returns image embeddings `[P / patchesPerRow, D]`, and then the other image states. Each must be
   *   used before the next is asked for, because that one may reuse its memory.
   */
  vision(g: Graph, w: Weights, patches: Tensor, tables: VisionTensors<K>): Iterable<Tensor>;
  /** Absent where the rows of the tiles are the image rows. */
  readonly packing?: ImagePacking;
  /** Absent where RoPE has one axis. */
  promptPositions?(ids: readonly number[], images: readonly ImageLayout[]): PromptPositions;
  /**
   * Records embedding and decoder layers.
   *
   * @param rows token rows `[T, ROW_WORDS]` u32
   * @param images image states `[N, D]`, the embeddings first; with `crossAttention`, keys and values
   *   `[N, width]`
   * @param cache of the layers that keep keys and values, in order
   * @param convolutions states of the layers that have a short convolution, in order
   * @returns hidden states `[T, D]`, before the final norm
   */
  forward(
    g: Graph,
    w: Weights,
    rows: Tensor,
    images: readonly Tensor[],
    cache: readonly LayerCache[],
    convolutions: readonly ConvCache[],
  ): Tensor;
  /**
   * Records final norm and language-model head.
   *
   * @param hidden `[B, D]`
   * @returns logits `[B, V]`
   */
  head(g: Graph, w: Weights, hidden: Tensor): Tensor;
}

/** The text side of a model. */
export type TextModel = Pick<Model, "text" | "forward" | "head">;

/** Options that every family understands. */
export interface ModelOptions {
  /** Most tokens that one image may take. Default: the checkpoint's own limit. */
  readonly maxImageTokens?: number | undefined;
}

/**
 * A model family: one file, and one line in the registry. `K` are the names of its vision tables.
 *
 * @throws Error naming the file and the field that is wrong
 */
export type Family<K extends string = string> = (
  files: CheckpointFiles,
  options?: ModelOptions,
) => Model<K>;
