import type { Model } from "../models/model.ts";
import type { PreparedImage } from "./generation.ts";

/**
 * Rows of a span attend to one another, later ones too; all other rows only to what is before them.
 *
 * @returns `[T]`: the last position that each row of a prompt attends to
 */
export function lastAttended(
  ids: readonly number[],
  images: readonly Pick<PreparedImage, "layout">[],
  imageTokenId: number,
  bidirectional: Model["bidirectional"],
): Uint32Array {
  const T = ids.length;
  if (bidirectional === "prompt") return new Uint32Array(T).fill(T - 1);
  const last = Uint32Array.from(ids, (_, position) => position);
  if (!bidirectional) return last;
  /** The image of each image row. */
  const imageOfRow = images.flatMap(({ layout }, i) =>
    new Array<number>(layout.tokenCount).fill(i),
  );
  const ofPosition: (number | undefined)[] = [];
  let row = 0;
  for (const id of ids) ofPosition.push(id === imageTokenId ? imageOfRow[row++] : undefined);
  for (let position = T - 2; position >= 0; position--) {
    const image = ofPosition[position];
    if (image !== undefined && image === ofPosition[position + 1]) {
      last[position] = last[position + 1] as number;
    }
  }
  return last;
}

/**
 * @param last as `lastAttended` tells
 * @param rows that a chunk has at most, unless a span is larger
 * @returns the end of the chunk that starts at `start`, so that it cuts no span in two
 */
export function chunkEnd(last: Uint32Array, start: number, rows: number): number {
  const most = Math.min(start + rows, last.length);
  for (let end = most; end > start; end--) if (last[end - 1] === end - 1) return end;
  return (last[start] as number) + 1;
}
