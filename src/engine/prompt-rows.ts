import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { Model } from "../models/model.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";
import type { CrossAttentionRange } from "./cross-attention.ts";
import type { PreparedImage } from "./generation.ts";
import type { RowContent } from "./prefix-cache.ts";

/** The rows of a prompt, by position. */
export interface PromptRows {
  /** `[T]` what each looks up: an id, or V + image row */
  readonly tokens: ArrayLike<number>;
  /** `[T, 3]` where it stands for RoPE; by default its position on all three axes */
  readonly positions?: Uint32Array | undefined;
  /** `[T]` the last position that it attends to; by default its own */
  readonly last?: Uint32Array | undefined;
  /**
   * Keys up to its own that it sees in layers that attend to a window, those of its span not excepted;
   * default all. It sees those behind it, up to `last`, too.
   */
  readonly window?: number | undefined;
  /** `[T]` the image keys that each attends to; default none */
  readonly imageKeys?: readonly CrossAttentionRange[] | undefined;
}

/**
 * Writes one prefill chunk of a prompt into a row buffer, idle rows up to the bucket.
 *
 * @param words `[bucket, ROW_WORDS]`
 * @param start position of the chunk's first token
 * @param count tokens of the chunk, at most the bucket
 */
export function writePromptRows(
  words: Uint32Array,
  { tokens, positions, last, window = Infinity, imageKeys }: PromptRows,
  start: number,
  count: number,
  sequence = 0,
): void {
  for (let i = 0; i < words.length / ROW_WORDS; i++) {
    const p = start + i;
    const [t = p, h = p, w = p] = positions?.subarray(3 * p, 3 * p + 3) ?? [];
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
            last: last?.[p] ?? p,
            windowFirst: Math.max(0, p + 1 - window),
            ...imageKeys?.[p],
          }
        : IDLE_ROW,
    );
  }
}

/**
 * Replaces each image placeholder id by `V + n`, n counting the image rows of the prompt.
 *
 * @throws RangeError when the prompt has another number of placeholders than there are rows
 */
export function resolveImageRows(
  ids: readonly number[],
  imageTokenId: number,
  imageRows: number,
  V: number,
): Uint32Array {
  let next = 0;
  const tokens = Uint32Array.from(ids, (id) => (id === imageTokenId ? V + next++ : id));
  if (next !== imageRows) {
    throw new RangeError(`prompt has ${next} image tokens, its images have ${imageRows} rows`);
  }
  return tokens;
}

/**
 * @returns what each row of a prompt is of, its images' placeholders being `imageTokenId`; where the
 * whole prompt is bidirectional, each row is of all of it
 */
export function promptContents(
  ids: readonly number[],
  images: readonly Pick<PreparedImage, "key" | "layout">[],
  imageTokenId: number,
  bidirectional?: Model["bidirectional"],
): RowContent[] {
  const ofImages = images.flatMap(({ key, layout }) =>
    new Array<RowContent>(layout.tokenCount).fill(key ?? Symbol("an image without key")),
  );
  let next = 0;
  const contents = ids.map((id) => (id === imageTokenId ? (ofImages[next++] ?? id) : id));
  if (bidirectional !== "prompt") return contents;
  const unknown = contents.find((content) => typeof content === "symbol");
  const whole = unknown ?? bytesToHex(sha256(new TextEncoder().encode(JSON.stringify(contents))));
  return contents.map(() => whole);
}
