import { describe, expect, test } from "vitest";
import type { ImageLayout, Model } from "../models/model.ts";
import { ROW_WORDS } from "../ops/row.ts";
import type { PreparedImage } from "./generation.ts";
import { promptContents, promptRows, writePromptRows } from "./prompt-rows.ts";

/** Indices of words in a row of `shaders/lib/row.wgsl`. */
const [TOKEN, POSITION, FIRST, LAST, WINDOW_FIRST] = [3, 5, 6, 7, 8] as const;

function written(rows: Parameters<typeof writePromptRows>[1], start: number, count: number) {
  const words = new Uint32Array(4 * ROW_WORDS);
  writePromptRows(words, rows, start, count);
  const column = (word: number): number[] =>
    Array.from({ length: 4 }, (_, i) => words[i * ROW_WORDS + word] as number);
  return { column };
}

describe("writePromptRows", () => {
  const tokens = [10, 11, 12, 13, 14, 15];

  test("a row attends to itself and all rows before it", () => {
    const { column } = written({ tokens }, 2, 4);
    expect(column(TOKEN)).toEqual([12, 13, 14, 15]);
    expect(column(POSITION)).toEqual([2, 3, 4, 5]);
    expect(column(FIRST)).toEqual([0, 0, 0, 0]);
    expect(column(LAST)).toEqual([2, 3, 4, 5]);
    expect(column(WINDOW_FIRST)).toEqual([0, 0, 0, 0]);
  });

  test("a window starts before its row, a bidirectional block ends after it", () => {
    const bidirectionalEnds = Uint32Array.of(0, 1, 4, 4, 4, 5);
    const { column } = written({ tokens, bidirectionalEnds, window: 3 }, 1, 4);
    expect(column(FIRST)).toEqual([0, 0, 0, 0]);
    expect(column(LAST)).toEqual([1, 4, 4, 4]);
    expect(column(WINDOW_FIRST)).toEqual([0, 0, 1, 2]);
  });

  test("a window cuts a larger block, whichever row the chunk starts with", () => {
    const bidirectionalEnds = Uint32Array.of(0, 4, 4, 4, 4, 5);
    const rows = { tokens, bidirectionalEnds, window: 2 };
    expect(written(rows, 0, 4).column(WINDOW_FIRST)).toEqual([0, 0, 1, 2]);
    expect(written(rows, 2, 4).column(WINDOW_FIRST)).toEqual([1, 2, 3, 4]);
    expect(written(rows, 2, 4).column(LAST)).toEqual([4, 4, 4, 5]);
  });

  test("rows after the chunk attend to nothing", () => {
    const { column } = written({ tokens, window: 2 }, 4, 2);
    expect(column(POSITION)).toEqual([4, 5, 0xffffffff, 0xffffffff]);
    expect(column(FIRST)).toEqual([0, 0, 1, 1]);
    expect(column(LAST)).toEqual([4, 5, 0, 0]);
    expect(column(WINDOW_FIRST)).toEqual([3, 4, 1, 1]);
  });
});

describe("promptRows", () => {
  const IMAGE = 9;
  const layout = (tokenCount: number) => ({ tokenCount }) as ImageLayout;
  const input = (ids: number[], ...tokenCounts: number[]) => ({
    ids,
    images: tokenCounts.map((count) => ({ layout: layout(count) }) as PreparedImage),
  });
  const model = (fields: Partial<Model> = {}, sliding_window?: number) =>
    ({
      processor: { imageTokenId: IMAGE },
      text: { vocab_size: 100, ...(sliding_window && { sliding_window }) },
      ...fields,
    }) as Model;

  test("looks up image placeholders in the image embeddings, in order", () => {
    const rows = promptRows(model(), input([1, IMAGE, IMAGE, 2, IMAGE], 2, 1));
    expect(rows).toEqual({
      tokens: Uint32Array.of(1, 100, 101, 2, 102),
      rope: undefined,
      bidirectionalEnds: undefined,
      window: undefined,
      crossAttention: undefined,
    });
  });

  test("passes ids and layouts to the model's RoPE positions", () => {
    const rope = { positions: Uint32Array.of(0, 0, 0), offset: -3 };
    const promptPositions = (ids: readonly number[], images: readonly ImageLayout[]) => {
      expect([ids, images]).toEqual([[1, IMAGE], [layout(1)]]);
      return rope;
    };
    expect(promptRows(model({ promptPositions }), input([1, IMAGE], 1)).rope).toBe(rope);
  });

  test("a window cuts the block of an image, not that of a whole prompt", () => {
    const ids = input([1, IMAGE, IMAGE, 2], 2);
    const images = promptRows(model({ bidirectional: "images" }, 16), ids);
    expect([images.window, images.bidirectionalEnds]).toEqual([16, Uint32Array.of(0, 2, 2, 3)]);
    const whole = promptRows(model({ bidirectional: "prompt" }, 16), ids);
    expect([whole.window, whole.bidirectionalEnds]).toEqual([
      undefined,
      Uint32Array.of(3, 3, 3, 3),
    ]);
  });

  test("with a cross-attention ring, an image's token stays in the vocabulary", () => {
    const rows = promptRows(model(), input([1, IMAGE, 2], 1), { rows: 10, N: 40 });
    expect(rows.tokens).toEqual(Uint32Array.of(1, IMAGE, 2));
    expect(rows.crossAttention?.map(({ afterImage }) => afterImage)).toEqual([false, true, true]);
  });

  test("rejects ids with placeholders for another number of image rows", () => {
    expect(() => promptRows(model(), input([1, IMAGE], 2))).toThrow(
      new RangeError("prompt has 1 image tokens, expected 2 for its images"),
    );
    expect(() => promptRows(model(), input([1, IMAGE, IMAGE]))).toThrow(RangeError);
  });
});

describe("promptContents", () => {
  const layout = { tokenCount: 2 } as ImageLayout;

  test("are token ids and keys of images", () => {
    const images = [
      { key: "one", layout },
      { key: "two", layout },
    ];
    const contents = promptContents([5, 9, 9, 6, 9, 9], images, 9);
    expect(contents).toEqual([5, "one", "one", 6, "two", "two"]);
  });

  test("of an image without key equal no others", () => {
    const [, row] = promptContents([5, 9, 9], [{ layout }], 9);
    const [, other] = promptContents([5, 9, 9], [{ layout }], 9);
    expect(typeof row).toBe("symbol");
    expect(row).not.toBe(other);
  });
});

describe("promptContents of a bidirectional prompt", () => {
  const layout = { tokenCount: 2 } as ImageLayout;
  const contents = (ids: number[], key?: string) =>
    promptContents(ids, [key === undefined ? { layout } : { layout, key }], 9, "prompt");

  test("every row depends on the whole prompt", () => {
    const rows = contents([9, 9, 5, 6], "cat");
    expect(rows.length).toBe(4);
    expect(new Set(rows).size).toBe(1);
    expect(contents([9, 9, 5, 6], "cat")).toEqual(rows);
  });

  test("another id, another image or another length changes every row", () => {
    const [row] = contents([9, 9, 5, 6], "cat");
    expect(contents([9, 9, 5, 7], "cat")).not.toContain(row);
    expect(contents([9, 9, 5, 6], "dog")).not.toContain(row);
    expect(contents([9, 9, 5, 6, 6], "cat")).not.toContain(row);
  });

  test("with an image without key, rows equal those of no other prompt", () => {
    const [row, next] = contents([9, 9, 5]);
    expect(typeof row).toBe("symbol");
    expect(next).toBe(row);
    expect(contents([9, 9, 5])).not.toContain(row);
  });
});
