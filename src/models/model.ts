import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { ConvCache, LayerCache } from "../ops/cache.ts";
import type { Rectangle } from "../ops/unpack-image.ts";
import type { Weights } from "../weights/weights.ts";

/** Parsed JSON files of a checkpoint, by name ("config.json", "preprocessor_config.json", ...). */
export type CheckpointFiles = Readonly<Record<string, unknown>>;

export type { Weights };

/** The text side's numbers that the engine needs. */
export interface TextShape {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  /** Layers that keep keys and values, default all. */
  readonly num_kv_layers?: number;
  /** Layers that keep the state of a short convolution, default none. */
  readonly num_conv_layers?: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly max_position_embeddings: number;
  /** Keys that a row sees in layers that attend to a window, its own included. */
  readonly sliding_window?: number;
}

export type ResizeFilter = "bilinear" | "bicubic" | "lanczos";

/** A size in pixels, or in whatever a name says. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** One antialiased resize to a size in pixels, rounded to bytes. */
export interface Resize extends Size {
  /** The image that is resized: 0 is the decoded image, n the result of the n-th resize. */
  readonly from: number;
  /** Only this part is resized; by default the whole image. It may reach beyond the image. */
  readonly part?: Rectangle;
  readonly filter: ResizeFilter;
}

/**
 * A rectangle of an image (`from` as in `Resize`) that the vision tower sees in one piece. It may
 * reach beyond the image.
 */
export interface Tile extends Rectangle {
  readonly from: number;
  /** Patches by height and width, where they are not those of `ImageLayout.grid`. */
  readonly grid?: readonly [height: number, width: number];
}

/** What becomes of one image: pure arithmetic on its size. */
export interface ImageLayout {
  /** Of the image itself. */
  readonly size: readonly [width: number, height: number];
  readonly resizes: readonly Resize[];
  readonly tiles: readonly Tile[];
  /** RGBA8 of what lies beyond an image; black by default. */
  readonly background?: number;
  /** Tiles by row and column; 0 x 0 where the image is not split. */
  readonly rows: number;
  readonly cols: number;
  /** Patches of each tile by height and width, where the tile does not say otherwise. */
  readonly grid: readonly [height: number, width: number];
  /** Rows of image embeddings that it takes in the prompt. */
  readonly tokenCount: number;
  /** What stands in the prompt for the template's placeholder. */
  readonly prompt: string;
  /** With `Model.crossAttention`: how many of its keys the rows after the image attend to; default all. */
  readonly attendedKeys?: number;
}

/**
 * Images as keys and values that rows of the prompt attend to. Rows from an image's token on attend
 * to its `attendedKeys`, until another image comes; those of images that follow one another at once
 * are seen together. Rows before a prompt's first image attend to all keys of all its images.
 */
export interface CrossAttentionShape {
  /** Of each image. */
  readonly rows: number;
  /** Channels of a key, and of a value. */
  readonly width: number;
}

export interface ImageProcessor {
  /** What the chat template writes for an image, and its text in the expanded prompt. */
  readonly placeholder: string;
  /** The chat template of checkpoints that come without one. */
  readonly chatTemplate?: string;
  /** Whether prompts without an image are refused. */
  readonly needsImage?: boolean;
  /**
   * Where the processor, and not the tokenizer, adds the special tokens around a prompt: what becomes
   * of the chat template's text, cut at its placeholders.
   *
   * @param isOpen whether the text ends in an answer that is to go on
   * @returns as many pieces
   */
  frame?(pieces: readonly string[], options: { readonly isOpen: boolean }): readonly string[];
  /** The token id that stands for one image row in `ImageLayout.prompt`. */
  readonly imageTokenId: number;
  readonly patchSize: number;
  /** Patches come in blocks of merge x merge; 1: row by row. */
  readonly merge: number;
  /** How often a still image's pixels are repeated in a patch, `[channels, frames, p, p]`. */
  readonly frames: number;
  /** A patch is `[frames, p, p, channels]`. */
  readonly channelsLast?: boolean;
  /** Per channel; pixel = (byte * rescale - mean) / std. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly rescale: number;
  /**
   * @param detail OpenAI's `image_url.detail`
   * @param images images in the prompt, 1 by default
   */
  layout(
    width: number,
    height: number,
    detail: "auto" | "low" | "high",
    images?: number,
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
  /** Their shapes depend on P alone. */
  readonly tables: Readonly<Record<K, VisionTable>>;
}

/** The tables of a `VisionPass<K>` on the GPU. */
export type VisionTensors<K extends string = string> = Readonly<Record<K, Tensor>>;

/** How the rows of an image's tiles become its image rows. `K` are the names of the tables. */
export interface ImagePacking<K extends string = string> {
  /** Their shapes may depend on the layout. */
  tables(layout: ImageLayout): Readonly<Record<K, VisionTable>>;
  /**
   * @param rows the rows of all tiles `[tiles * P / patchesPerRow, D]`
   * @returns image rows `[N, D]`
   */
  record(g: Graph, w: Weights, rows: Tensor, tables: VisionTensors<K>): Tensor;
}

/** The patches of one image, tile after tile, on the GPU. */
export interface PatchSource {
  readonly tiles: number;
  /**
   * Writes the patches of tiles `first .. first + count - 1` from the start of `into` on.
   *
   * @param into `[at least count * P, channels * frames * patchSize²]`
   * @throws RangeError when there are no such tiles, or `into` does not hold them
   */
  write(first: number, count: number, into: Tensor): void;
  release(): void;
}

/** Where the tokens of a prompt stand for RoPE. */
export interface PromptPositions {
  /** `[T, 3]`: temporal, height, width */
  readonly positions: Uint32Array;
  /** What is added to the position in the sequence from the end of the prompt on. */
  readonly offset: number;
}

/**
 * A model family applied to one checkpoint's configuration. `K` are the names of its vision tables:
 * `vision` must be called with the tables of `visionPass` of the same model.
 */
export interface Model<K extends string = string> {
  readonly text: TextShape;
  readonly processor: ImageProcessor;
  /** The checkpoint's name of a tensor that it does not have under the name used here. */
  rename?(name: string): string;
  /** Patches that become one image row: merge² of them. */
  readonly patchesPerRow: number;
  /**
   * Rows that attend to one another, later ones too: those of each image that follow one another,
   * or all of a prompt. Default: none do.
   */
  readonly bidirectional?: "images" | "prompt";
  /** Tensors that `vision` returns: the embeddings, and what is added in deeper layers. */
  readonly imageStates: number;
  /**
   * Where an image is no rows of the prompt, but keys: the image states are these then, `[rows, width]`
   * an image, and its one token is of the vocabulary.
   */
  readonly crossAttention?: CrossAttentionShape;
  /**
   * What a pass over `tiles` tiles of an image works on, beside their patches.
   *
   * @param layout whose `grid` is that of the tiles
   */
  visionPass(layout: ImageLayout, tiles: number): VisionPass<K>;
  /**
   * Vision tower and connector.
   *
   * @param patches `[P, channels * frames * patchSize²]`
   * @param tables as `visionPass` shapes them
   * @returns image embeddings `[P / patchesPerRow, D]`, and the other image states; what is recorded
   *   between two of them can use memory that the first took
   */
  vision(g: Graph, w: Weights, patches: Tensor, tables: VisionTensors<K>): Iterable<Tensor>;
  /** Absent where they are the image rows already. */
  readonly packing?: ImagePacking;
  /** Absent where RoPE has one axis. */
  promptPositions?(ids: readonly number[], images: readonly ImageLayout[]): PromptPositions;
  /**
   * Embedding and decoder layers.
   *
   * @param rows `[T, ROW_WORDS]` u32
   * @param images image states, each `[N, D]`: the embeddings first; or image keys `[N, width]`
   * @param cache of the layers that keep keys and values, in order
   * @param convolutions of the layers that keep a convolution's state, in order
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
   * Final norm and language-model head.
   *
   * @param hidden `[B, D]`
   * @returns logits `[B, V]`
   */
  head(g: Graph, w: Weights, hidden: Tensor): Tensor;
}

/** The text side of a model. */
export type TextModel = Pick<Model, "text" | "forward" | "head">;

/** What a user decides about a model, whatever its family. */
export interface ModelOptions {
  /** Image rows that one image may take; default: as many as the checkpoint asks for. */
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
