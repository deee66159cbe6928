import type { Model, PromptPositions } from "../models/model.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";
import { bidirectionalEnds } from "./bidirectional-blocks.ts";
import {
  type CrossAttentionRange,
  type CrossAttentionRing,
  crossAttentionRanges,
} from "./cross-attention.ts";
import type { GenerationInput, PreparedImage } from "./generation.ts";
import type { RowContent } from "./prefix-cache.ts";

/** The token rows of a prompt, by position. */
export interface PromptRows {
  /** `[T]`, what the embedding op looks up: a token id, or V + index of an image embedding. */
  readonly tokens: ArrayLike<number>;
  /** RoPE positions. Default: a row's own position on all three axes. */
  readonly rope?: PromptPositions | undefined;
  /** `[T]`, the last position that each row attends to. Default: the row's own. */
  readonly bidirectionalEnds?: Uint32Array | undefined;
  /**
   * Keys that a row attends to in sliding-window layers, from its own position back. The window cuts
   * bidirectional blocks, too, but only before the row. Default: all keys.
   */
  readonly window?: number | undefined;
  /** `[T]`, the cross-attention keys that each row attends to. Default: none. */
  readonly crossAttention?: readonly CrossAttentionRange[] | undefined;
}

/**
 * @param ring where images are cross-attention keys
 * @returns the token rows of a prompt
 * @throws RangeError when the ids have placeholders for another number of images or image rows
 */
export function promptRows(
  model: Model,
  { ids, images }: Pick<GenerationInput, "ids" | "images">,
  ring?: CrossAttentionRing,
): PromptRows {
  const { bidirectional, text } = model;
  const { imageTokenId } = model.processor;
  const layouts = images.map(({ layout }) => layout);
  const imageRows = layouts.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
  return {
    tokens: ring
      ? Uint32Array.from(ids)
      : resolveImageRows(ids, imageTokenId, imageRows, text.vocab_size),
    rope: model.promptPositions?.(ids, layouts),
    bidirectionalEnds: bidirectionalEnds(ids, images, imageTokenId, bidirectional),
    // A window cuts an image's block (transformers: `create_masks_for_vision_model`), but not a block
    // that is a whole prompt (`create_sliding_window_causal_mask`).
    window: bidirectional === "prompt" ? undefined : text.sliding_window,
    crossAttention: ring && crossAttentionRanges(ids, layouts, imageTokenId, ring),
  };
}

/**
 * Writes one prefill chunk of a prompt, followed by idle rows up to the bucket.
 *
 * @param words `[bucket, ROW_WORDS]`
 * @param start position of the chunk's first row
 * @param count rows of the chunk, at most the bucket
 */
export function writePromptRows(
  words: Uint32Array,
  { tokens, rope, bidirectionalEnds, window = Infinity, crossAttention }: PromptRows,
  start: number,
  count: number,
  sequence = 0,
): void {
  for (let i = 0; i < words.length / ROW_WORDS; i++) {
    const p = start + i;
    const [t = p, h = p, w = p] = rope?.positions.subarray(3 * p, 3 * p + 3) ?? [];
    writeRow(
      words,
      i,
      i < count
        ? {
            rope: [t, h, w],
            token: tokens[p] as number,
            sequence,
            position: p,
            first: 0,
            last: bidirectionalEnds?.[p] ?? p,
            windowFirst: Math.max(0, p + 1 - window),
            ...crossAttention?.[p],
          }
        : IDLE_ROW,
    );
  }
}

/**
 * Replaces the n-th image placeholder of a prompt by `V + n`, which the embedding op looks up in the
 * image embeddings.
 *
 * @throws RangeError when the number of placeholders is not `imageRows`
 */
function resolveImageRows(
  ids: readonly number[],
  imageTokenId: number,
  imageRows: number,
  V: number,
): Uint32Array {
  let next = 0;
  const tokens = Uint32Array.from(ids, (id) => (id === imageTokenId ? V + next++ : id));
  if (next !== imageRows) {
    throw new RangeError(`prompt has ${next} image tokens, expected ${imageRows} for its images`);
  }
  return tokens;
}

/**
 * What each row of a prompt is computed from: its token id, or the key of its image. Where the whole
 * prompt is one bidirectional block, every row depends on all of it.
 *
 * @param imageTokenId the placeholder of an image row
 * @returns `[T]`
 */
export function promptContents(
  ids: readonly number[],
  images: readonly Pick<PreparedImage, "key" | "layout">[],
  imageTokenId: number,
  bidirectional?: Model["bidirectional"],
): RowContent[] {
  const imageContents = images.flatMap(({ key, layout }) =>
    new Array<RowContent>(layout.tokenCount).fill(key ?? Symbol("image without key")),
  );
  let next = 0;
  const contents = ids.map((id) => (id === imageTokenId ? (imageContents[next++] ?? id) : id));
  if (bidirectional !== "prompt") return contents;
  const unknown = contents.find((content) => typeof content === "symbol");
  const whole = unknown ?? JSON.stringify(contents);
  return contents.map(() => whole);
}
