import { describe, expect, test } from "vitest";
import {
  checkpointCases,
  checkpointFiles,
  layoutsOf,
  publishedCases,
  publishedSettings,
} from "../../tests/processor-goldens.ts";
import { lfm2VlProcessor } from "./lfm2-vl-processor.ts";
import type { CheckpointFiles, ImageLayout, ImageProcessor, ModelOptions } from "./model.ts";

const FAMILY = "lfm2_vl";

/** A processor with the published settings, some of them replaced. */
function published(
  settings: object = {},
  options?: ModelOptions,
  files: CheckpointFiles = {},
): ImageProcessor {
  const { "preprocessor_config.json": own } = publishedSettings(FAMILY);
  const preprocessor_config = { ...(own as object), ...settings };
  return lfm2VlProcessor(
    { "config.json": {}, ...files, "preprocessor_config.json": preprocessor_config },
    options,
  );
}

/** The patches of the whole image. */
const wholeGrid = (layout: ImageLayout) => layout.tiles.at(-1)?.grid ?? layout.grid;

const count = (text: string, token: string) => text.split(token).length - 1;

describe("the reference's layouts", () => {
  test.each(publishedCases(FAMILY))("published settings, $image", (golden) => {
    const { spatial_shapes, image_token_count } = golden as typeof golden & {
      readonly spatial_shapes: readonly (readonly [height: number, width: number])[];
    };
    const layout = published().layout(golden.width, golden.height, "auto");
    expect([layout.grid]).toEqual(spatial_shapes);
    expect(layout.tiles).toHaveLength(1);
    expect(layout.tokenCount).toBe(image_token_count);
    expect(count(layout.prompt, "<image>")).toBe(image_token_count);
  });

  test.each(checkpointCases(FAMILY))("checkpoint, $name", (golden) => {
    const processor = lfm2VlProcessor(checkpointFiles(FAMILY));
    const layouts = layoutsOf(golden, processor);
    // The prompt has the images' texts one after another.
    let rest = golden.prompt;
    for (const { prompt } of layouts) {
      expect(rest).toContain(prompt);
      rest = rest.slice(rest.indexOf(prompt) + prompt.length);
    }
    expect(rest).not.toContain(processor.placeholder);
    const tokens = layouts.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
    expect(tokens).toBe(golden.image_token_count);
  });

  // Computed with the reference's arithmetic.
  test.each([
    { image: [224, 224], tiles: [0, 0], grid: [16, 16], tokens: 64 },
    { image: [448, 448], tiles: [0, 0], grid: [28, 28], tokens: 196 },
    { image: [640, 480], tiles: [0, 0], grid: [26, 36], tokens: 234 },
    { image: [740, 720], tiles: [0, 0], grid: [30, 32], tokens: 240 },
    { image: [724, 724], tiles: [2, 2], grid: [32, 32], tokens: 1280 },
    { image: [1024, 768], tiles: [2, 3], grid: [26, 36], tokens: 1770 },
    { image: [1920, 1080], tiles: [2, 4], grid: [24, 42], tokens: 2300 },
    { image: [2480, 3508], tiles: [3, 2], grid: [38, 26], tokens: 1783 },
    { image: [1080, 2400], tiles: [5, 2], grid: [46, 20], tokens: 2790 },
    { image: [5000, 5000], tiles: [3, 3], grid: [32, 32], tokens: 2560 },
    { image: [3000, 100], tiles: [0, 0], grid: [4, 174], tokens: 174 },
    { image: [5, 4000], tiles: [0, 0], grid: [250, 2], tokens: 125 },
    { image: [48, 16], tiles: [0, 0], grid: [10, 28], tokens: 70 },
    { image: [1, 1], tiles: [0, 0], grid: [16, 16], tokens: 64 },
  ] as const)("$image", ({ image: [width, height], tiles, grid, tokens }) => {
    const layout = published().layout(width, height, "high");
    expect([layout.rows, layout.cols]).toEqual(tiles);
    expect(wholeGrid(layout)).toEqual(grid);
    expect(layout.tokenCount).toBe(tokens);
  });
});

test("the prompt names each tile, row by row, and the whole image last", () => {
  const layout = published().layout(1024, 768, "auto");
  expect(layout.resizes).toEqual([
    { from: 0, width: 576, height: 416, filter: "bilinear" },
    { from: 0, width: 1536, height: 1024, filter: "bilinear" },
  ]);
  const edge = { width: 512, height: 512 };
  expect(layout.tiles).toEqual([
    ...[0, 512].flatMap((y) => [0, 512, 1024].map((x) => ({ from: 2, x, y, ...edge }))),
    { from: 1, x: 0, y: 0, width: 576, height: 416, grid: [26, 36] },
  ]);
  expect(layout.grid).toEqual([32, 32]);
  expect(layout.prompt.replace(/(<image>)+/g, (run) => String(run.length / 7))).toBe(
    "<|image_start|>" +
      "<|img_row_1_col_1|>256<|img_row_1_col_2|>256<|img_row_1_col_3|>256" +
      "<|img_row_2_col_1|>256<|img_row_2_col_2|>256<|img_row_2_col_3|>256" +
      "<|img_thumbnail|>234<|image_end|>",
  );
});

describe("settings", () => {
  const rowsOf = (settings: object, options?: ModelOptions) =>
    published(settings, options).layout(1024, 768, "auto").tokenCount;

  test("without a thumbnail an image has only its tiles", () => {
    const layout = published({ use_thumbnail: false }).layout(1024, 768, "auto");
    expect(layout.tiles).toHaveLength(6);
    expect(layout.tokenCount).toBe(6 * 256);
    expect(layout.prompt).not.toContain("thumbnail");
  });

  test("limit the number of tiles and the size of the whole image", () => {
    expect(rowsOf({ do_image_splitting: false })).toBe(234);
    expect(rowsOf({ min_tiles: 1, max_tiles: 1 })).toBe(234);
    expect(rowsOf({ max_tiles: 4 })).toBe(4 * 256 + 234);
    expect(rowsOf({ max_pixels_tolerance: 2.99 })).toBe(6 * 256 + 234);
    expect(rowsOf({ max_pixels_tolerance: 3 })).toBe(234);
    expect(rowsOf({ tile_size: 256 })).toBe(6 * 64 + 234);
    expect(rowsOf({ max_image_tokens: 128, do_image_splitting: false })).toBe(117);
    expect(published({ min_image_tokens: 100 }).layout(9, 9, "auto").tokenCount).toBe(100);
  });

  test("low detail is the whole image only", () => {
    expect(published().layout(1024, 768, "low")).toMatchObject({ tokenCount: 234, rows: 0 });
  });

  test("maxImageTokens excludes the grids that take more, and caps the whole image", () => {
    for (const maxImageTokens of [64, 100, 256, 800, 1400, 2048]) {
      const capped = published({}, { maxImageTokens });
      for (const [width, height] of [
        [640, 480],
        [1024, 768],
        [1920, 1080],
        [300, 1500],
      ] as const) {
        const { tokenCount } = capped.layout(width, height, "high");
        expect(tokenCount).toBeLessThanOrEqual(maxImageTokens * 1.1);
      }
    }
    expect(rowsOf({}, { maxImageTokens: 1769 })).toBe(4 * 256 + 234);
    expect(rowsOf({ use_thumbnail: false }, { maxImageTokens: 1536 })).toBe(1536);
    expect(rowsOf({}, { maxImageTokens: 100 })).toBe(88);
  });

  test("are found in processor_config.json in early checkpoints, whose preprocessor_config.json is another processor's", () => {
    const config = { model_type: "lfm2-vl", image_token_index: 500 };
    const early = lfm2VlProcessor({
      "config.json": config,
      "preprocessor_config.json": { do_resize: false, patch_size: 16, resample: 2 },
      "processor_config.json": { use_thumbnail: false, max_tiles: 4 },
    });
    expect(early.layout(1024, 768, "auto").tokenCount).toBe(4 * 256);
    expect(early.imageTokenId).toBe(500);
    expect(published().imageTokenId).toBe(396);
  });

  test("are found in processor_config.json alone, as transformers 5 may save them", () => {
    const { "preprocessor_config.json": image_processor, ...files } = checkpointFiles(FAMILY);
    const joined = { ...files, "processor_config.json": { image_processor } };
    const layout = lfm2VlProcessor(joined).layout(600, 420, "auto");
    expect(layout).toEqual(lfm2VlProcessor(checkpointFiles(FAMILY)).layout(600, 420, "auto"));
    expect([layout.rows, layout.cols]).toEqual([2, 3]);
  });

  // The reference's class overrides the file's value by its own default.
  test("use_image_special_tokens has no effect", () => {
    const plain = published(
      {},
      {},
      { "processor_config.json": { use_image_special_tokens: false } },
    );
    expect(plain.layout(1024, 768, "auto")).toEqual(published().layout(1024, 768, "auto"));
  });

  test.each([
    [{ resample: 4 }, "resample 4"],
    [{ do_pad: false }, "do_pad"],
    [{ tile_size: 500 }, "tile_size 500, expected a multiple of 32"],
    [{ max_tiles: 0 }, "max_tiles"],
    [{ image_std: "x" }, "image_std"],
  ])("a wrong setting is named: %j", (settings, message) => {
    expect(() => published(settings)).toThrow(`preprocessor_config.json: ${message}`);
  });

  test("an image without pixels is refused", () => {
    expect(() => published().layout(0, 5, "auto")).toThrow(RangeError);
  });
});
