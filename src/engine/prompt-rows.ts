import type { PreparedImage } from "./generation.ts";
import type { RowContent } from "./prefix-cache.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";

/**
 * Writes one prefill chunk of a causal prompt into a row buffer, idle rows up to the bucket.
 *
 * @param words `[bucket, ROW_WORDS]`
 * @param prompt of each position, what it looks up (an id, or V + image row), and where it stands for
 *   RoPE `[T, 3]`, by default its position on all three axes
 * @param start position of the chunk's first token
 * @param count tokens of the chunk, at most the bucket
 */
export function writePromptRows(
  words: Uint32Array,
  { tokens, positions }: { tokens: ArrayLike<number>; positions?: Uint32Array | undefined },
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
            last: p,
            windowFirst: 0,
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

/** @returns what each row of a prompt is of, its images' placeholders being `imageTokenId` */
export function promptContents(
  ids: readonly number[],
  images: readonly Pick<PreparedImage, "key" | "layout">[],
  imageTokenId: number,
): RowContent[] {
  const ofImages = images.flatMap(({ key, layout }) =>
    new Array<RowContent>(layout.tokenCount).fill(key ?? Symbol("a picture without key")),
  );
  let next = 0;
  return ids.map((id) => (id === imageTokenId ? (ofImages[next++] ?? id) : id));
}
