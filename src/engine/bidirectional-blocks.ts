import type { Model } from "../models/model.ts";
import type { PreparedImage } from "./generation.ts";

/**
 * The last position that each row of a prompt attends to. Rows of a bidirectional block attend to the
 * whole block, all other rows only to themselves and the rows before.
 *
 * A block is a run of neighbouring rows of one image, or the whole prompt (`Model.bidirectional`).
 *
 * @param imageTokenId the placeholder of an image row
 * @returns `[T]`, or undefined where no row attends to a later one
 */
export function bidirectionalEnds(
  ids: readonly number[],
  images: readonly Pick<PreparedImage, "layout">[],
  imageTokenId: number,
  bidirectional: Model["bidirectional"],
): Uint32Array | undefined {
  if (!bidirectional) return undefined;
  const T = ids.length;
  if (bidirectional === "prompt") return new Uint32Array(T).fill(T - 1);
  const imageOfRow = images.flatMap(({ layout }, i) =>
    new Array<number>(layout.tokenCount).fill(i),
  );
  let row = 0;
  const imageAt = ids.map((id) => (id === imageTokenId ? imageOfRow[row++] : undefined));
  const last = Uint32Array.from(ids, (_, position) => position);
  for (let position = T - 2; position >= 0; position--) {
    const image = imageAt[position];
    if (image !== undefined && image === imageAt[position + 1]) {
      last[position] = last[position + 1] as number;
    }
  }
  return last;
}

/** What decides where a prompt may be cut; see `PromptRows`. */
interface BlockRows {
  readonly tokens: { readonly length: number };
  readonly bidirectionalEnds?: Uint32Array | undefined;
}

/**
 * The end of the prefill chunk that starts at position `start`. A chunk never cuts a bidirectional
 * block, because all keys of the block must exist when its first row is computed.
 *
 * @param maxRows rows of the chunk, unless it starts with a larger block
 */
export function chunkEnd(
  { tokens, bidirectionalEnds: last }: BlockRows,
  start: number,
  maxRows: number,
): number {
  const longest = Math.min(start + maxRows, tokens.length);
  if (!last) return longest;
  for (let end = longest; end > start; end--) if (last[end - 1] === end - 1) return end;
  return (last[start] as number) + 1;
}
