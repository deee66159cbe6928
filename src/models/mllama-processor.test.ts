import { describe, expect, test } from "vitest";
import {
  checkpointCases,
  checkpointFiles,
  layoutsOf,
  publishedCases,
  publishedSettings,
} from "../../tests/processor-goldens.ts";
import { canvasGrids, mllamaProcessor } from "./mllama-processor.ts";

const CONFIG = { vision_config: { image_size: 560, patch_size: 14 } };
const published = mllamaProcessor({ ...publishedSettings("mllama"), "config.json": CONFIG });

test.each(publishedCases("mllama"))("published settings, $image", (golden) => {
  const layout = published.layout(golden.width, golden.height, "auto");
  const { aspect_ratio_ids, num_tiles } = golden as unknown as Record<string, number[][]>;
  expect(layout.tokenCount).toBe(golden.image_token_count);
  expect(layout.prompt).toBe("<|image|>");
  const [rows, cols] = [layout.grid[0] / 40, layout.grid[1] / 40];
  expect(rows * cols).toBe(num_tiles?.[0]?.[0]);
  expect(layout.attendedKeys).toBe(rows * cols * 1601);
  const id = 1 + canvasGrids(4).findIndex((grid) => grid.rows === rows && grid.cols === cols);
  expect(id).toBe(aspect_ratio_ids?.[0]?.[0]);
});

test.each(checkpointCases("mllama"))("checkpoint, $name", (golden) => {
  const processor = mllamaProcessor(checkpointFiles("mllama"));
  const layouts = layoutsOf(golden, processor);
  expect(layouts).toHaveLength(golden.image_token_count);
  expect(golden.prompt.split(processor.placeholder).length - 1).toBe(layouts.length);
  const { tiles } = golden as unknown as { tiles?: number[][] };
  expect(layouts.map(({ rows, cols }) => rows * cols || 1)).toEqual(tiles?.[0] ?? []);
});

// Computed with the reference's arithmetic; canvases by columns and rows.
test.each([
  { width: 224, height: 224, canvas: [1, 1], size: [560, 560] },
  { width: 448, height: 448, canvas: [1, 1], size: [560, 560] },
  { width: 640, height: 480, canvas: [2, 1], size: [640, 480] },
  { width: 1024, height: 768, canvas: [2, 2], size: [1024, 768] },
  { width: 1920, height: 1080, canvas: [2, 2], size: [1120, 630] },
  { width: 2480, height: 3508, canvas: [2, 2], size: [791, 1120] },
  { width: 300, height: 80, canvas: [1, 1], size: [560, 149] },
  { width: 61, height: 260, canvas: [1, 1], size: [131, 560] },
  { width: 3000, height: 100, canvas: [4, 1], size: [2240, 74] },
  { width: 1, height: 1, canvas: [1, 1], size: [560, 560] },
  { width: 1, height: 2000, canvas: [1, 4], size: [1, 2000] },
  { width: 560, height: 1121, canvas: [1, 3], size: [560, 1121] },
  { width: 1700, height: 560, canvas: [4, 1], size: [1700, 560] },
])("$width x $height", ({ width, height, canvas: [cols = 0, rows = 0], size }) => {
  const layout = published.layout(width, height, "high");
  expect(layout.tiles).toEqual([{ from: 1, x: 0, y: 0, width: 560 * cols, height: 560 * rows }]);
  expect(layout.resizes).toEqual([
    { from: 0, width: size[0], height: size[1], filter: "bilinear" },
  ]);
  expect(layout.grid).toEqual([40 * rows, 40 * cols]);
  const isSplit = rows * cols > 1;
  expect([layout.rows, layout.cols]).toEqual(isSplit ? [rows, cols] : [0, 0]);
});

test("low detail is one tile", () => {
  const layout = published.layout(1920, 1080, "low");
  expect(layout.tiles).toEqual([{ from: 1, x: 0, y: 0, width: 560, height: 560 }]);
  expect(layout.resizes).toEqual([{ from: 0, width: 560, height: 315, filter: "bilinear" }]);
  expect(layout.attendedKeys).toBe(1601);
});

test("an aspect ratio id is the index of a grid plus 1", () => {
  expect(canvasGrids(4).map(({ rows, cols }) => [rows, cols])).toEqual([
    ...[1, 2, 3, 4].map((cols) => [1, cols]),
    [2, 1],
    [2, 2],
    [3, 1],
    [4, 1],
  ]);
});

test("finds its settings in processor_config.json alone", () => {
  const { "preprocessor_config.json": image_processor, ...files } = checkpointFiles("mllama");
  const joined = { ...files, "processor_config.json": { image_processor } };
  const layout = mllamaProcessor(joined).layout(300, 200, "auto");
  expect(layout).toEqual(mllamaProcessor(checkpointFiles("mllama")).layout(300, 200, "auto"));
});

describe("refuses", () => {
  test("an image without pixels", () => {
    expect(() => published.layout(0, 5, "auto")).toThrow(RangeError);
  });

  test.each([
    [{ resample: 4 }, "resample 4"],
    [{ do_resize: false }, "do_resize"],
    [{ do_pad: false }, "do_pad"],
    [{ image_std: "x" }, "image_std"],
    [{ max_image_tiles: 0 }, "max_image_tiles"],
    [{ max_image_tiles: 2, size: { height: 560, width: 560 } }, "max_image_tiles is 2, expected"],
    [{ size: { height: 448, width: 560 } }, "size.height and size.width are 448 and 560"],
  ])("%j", (settings, message) => {
    const files = { "config.json": CONFIG, "preprocessor_config.json": settings };
    expect(() => mllamaProcessor(files)).toThrow(message);
    expect(() => mllamaProcessor(files)).toThrow("preprocessor_config.json");
  });
});
