import { describe, expect, test } from "vitest";
import extremes from "../../e2e/goldens/preprocess/extremes.json";
import { FAMILIES } from "../../tests/families.ts";
import {
  checkpointCases,
  checkpointFiles,
  layoutsOf,
  publishedCases,
  publishedSettings,
} from "../../tests/processor-goldens.ts";
import { publishedProcessor } from "../../tests/published-processor.ts";
import { gemma3Processor } from "./gemma3-processor.ts";
import { onevisionProcessor } from "./llava-onevision-processor.ts";
import { llavaProcessor } from "./llava-processor.ts";
import type { ImageProcessor, ModelOptions } from "./model.ts";

/** Families whose processors have no test file of their own, by golden folder. */
const TESTED = FAMILIES.flatMap(({ processor, folders: [folder = ""], published }) => {
  const { config, token } = published[folder] ?? {};
  return config ? [{ family: folder, make: processor, config, token }] : [];
});

function published(family: string, options?: ModelOptions): ImageProcessor {
  const { make, config } = TESTED.find((row) => row.family === family) ?? expect.fail(family);
  return make({ ...publishedSettings(family), "config.json": config }, options);
}

/** Places of the image token in a prompt. */
const count = (text: string, token: string) => text.split(token).length - 1;

describe.each(TESTED)("$family", ({ family, make, config, token }) => {
  test.each(publishedCases(family))("published settings, $image", (golden) => {
    const processor = published(family);
    const layout = processor.layout(golden.width, golden.height, "auto");
    const [tiles, channels, height, width] = golden.shape.slice(-4);
    expect(layout.tokenCount).toBe(golden.image_token_count);
    expect(count(layout.prompt, token ?? processor.placeholder)).toBe(golden.image_token_count);
    expect(layout.tiles).toHaveLength(tiles as number);
    for (const tile of layout.tiles) expect([tile.height, tile.width]).toEqual([height, width]);
    expect(processor.mean).toHaveLength(channels as number);
  });

  test.each(checkpointCases(family))("checkpoint, $name", (golden) => {
    const processor = make(checkpointFiles(family));
    const layouts = layoutsOf(golden, processor);
    const tokens = layouts.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
    expect(tokens).toBe(golden.image_token_count);
    // The images' texts stand in the prompt one after another.
    let rest = golden.prompt;
    for (const { prompt } of layouts) {
      expect(rest).toContain(prompt);
      rest = rest.slice(rest.indexOf(prompt) + prompt.length);
    }
    expect(rest).not.toContain(processor.placeholder);
  });

  test("refuses an image without pixels", () => {
    expect(() => published(family).layout(0, 5, "auto")).toThrow(RangeError);
  });

  test.each([
    [{ resample: 5 }, "resample 5"],
    [{ image_std: "x" }, "image_std"],
    [{ size: { height: 0, width: 5, shortest_edge: 0 } }, "size"],
    [{ size: -1 }, "size"],
  ])("%j is named", (settings, message) => {
    const files = { "config.json": config, "preprocessor_config.json": settings };
    expect(() => make(files)).toThrow(message);
    expect(() => make(files)).toThrow("preprocessor_config.json");
  });
});

test.each(["llava_onevision", "gemma3", "paligemma"])("%s must resize", (family) => {
  const settings = publishedSettings(family)["preprocessor_config.json"] as object;
  const { make, config } = TESTED.find((row) => row.family === family) ?? expect.fail(family);
  const files = {
    "config.json": config,
    "preprocessor_config.json": { ...settings, do_resize: false },
  };
  expect(() => make(files)).toThrow("preprocessor_config.json: do_resize is false, expected true");
});

describe("every form of size", () => {
  const layout = (settings: object, width = 96, height = 64) => {
    const { make, config } = TESTED.find((row) => row.family === "llava") ?? expect.fail();
    const files = { "config.json": config, "preprocessor_config.json": settings };
    const { resizes, tiles } = make(files).layout(width, height, "auto");
    return [...resizes.map((to) => [to.width, to.height]), tiles[0]];
  };
  const tile = { from: 1, x: 0, y: 0, width: 56, height: 56 };

  test.each([
    [{ size: { shortest_edge: 56 }, crop_size: { height: 56, width: 56 } }, [[84, 56], tile]],
    [{ size: 56, crop_size: 56 }, [[84, 56], tile]],
    [{ size: [60, 56], crop_size: [56, 56] }, [[56, 60], tile]],
    [{ size: { height: 56, width: 56 }, crop_size: 56 }, [[56, 56], tile]],
    [{ do_resize: false, crop_size: 56 }, [{ ...tile, from: 0, x: 20, y: 4 }]],
    [{ do_resize: false, crop_size: 84 }, [{ from: 0, x: 6, y: -10, width: 84, height: 84 }]],
  ])("%j", (settings, expected) => expect(layout(settings)).toEqual(expected));

  test.each([
    [{ size: { longest_edge: 56 } }, "size"],
    [{ size: { shortest_edge: 56, longest_edge: 80 } }, "size"],
    [{ do_center_crop: false }, "do_center_crop is false, expected true"],
    [{ pad_size: { height: 90, width: 90 } }, "pad_size"],
  ])("%j is named", (settings, message) => {
    expect(() => layout(settings)).toThrow(`preprocessor_config.json: ${message}`);
  });
});

// Computed with the reference's arithmetic.
test.each([
  { width: 224, height: 224, llava_onevision: 1485, internvl: 256 },
  { width: 448, height: 448, llava_onevision: 3699, internvl: 256 },
  { width: 640, height: 480, llava_onevision: 2929, internvl: 3328 },
  { width: 1024, height: 768, llava_onevision: 4725, internvl: 3328 },
  { width: 1920, height: 1080, llava_onevision: 7269, internvl: 2304 },
  { width: 2480, height: 3508, llava_onevision: 7353, internvl: 1792 },
])("$width x $height", ({ width, height, ...tokens }) => {
  for (const [family, count] of Object.entries({
    ...tokens,
    llava: 576,
    gemma3: 256,
    paligemma: 256,
  })) {
    expect(published(family).layout(width, height, "high").tokenCount, family).toBe(count);
  }
});

test.each(extremes)(
  "$width x $height takes the reference's tokens, $family",
  ({ family, width, height, image_token_count }) => {
    const processor = publishedProcessor(family);
    const layOut = () => processor.layout(width, height, "auto");
    if (image_token_count === null) expect(layOut).toThrow(RangeError);
    else expect(layOut().tokenCount).toBe(image_token_count);
  },
);

describe("LLaVA-OneVision", () => {
  const processor = published("llava_onevision");

  test("tiles of a canvas reach beyond the image, which is in its middle", () => {
    const layout = processor.layout(600, 420, "auto");
    expect(layout.resizes).toEqual([
      { from: 0, width: 384, height: 384, filter: "bicubic" },
      { from: 0, width: 768, height: 538, filter: "bicubic" },
    ]);
    const size = { width: 384, height: 384 };
    expect(layout.tiles).toEqual([
      { from: 1, x: 0, y: 0, ...size },
      { from: 2, x: 0, y: -115, ...size },
      { from: 2, x: 384, y: -115, ...size },
      { from: 2, x: 0, y: 269, ...size },
      { from: 2, x: 384, y: 269, ...size },
    ]);
    expect([layout.rows, layout.cols]).toEqual([2, 2]);
    expect(layout.background).toBeUndefined();
  });

  test.each([
    { width: 600, height: 420, part: { x: 0, y: -90, width: 600, height: 600 } },
    { width: 33, height: 100, part: { x: -33, y: 0, width: 100, height: 100 } },
  ])("one of several images is padded to a square, $width x $height", (image) => {
    const { width, height, part } = image;
    const layout = processor.layout(width, height, "high", 2);
    expect(layout.resizes).toEqual([{ from: 0, part, width: 384, height: 384, filter: "bicubic" }]);
    expect(layout.tiles).toEqual([{ from: 1, x: 0, y: 0, width: 384, height: 384 }]);
    expect(layout.background).toBe(0x7f7f7f);
    expect(layout.tokenCount).toBe(730);
    expect(processor.layout(width, height, "low")).toEqual(layout);
  });

  test("maxImageTokens leaves out the canvases that take more", () => {
    for (const maxImageTokens of [730, 1485, 2048, 3000]) {
      const capped = published("llava_onevision", { maxImageTokens });
      for (const [width, height] of [
        [224, 224],
        [640, 480],
        [2480, 3508],
        [3000, 100],
      ] as const) {
        const { tokenCount } = capped.layout(width, height, "high");
        expect(tokenCount).toBeLessThanOrEqual(maxImageTokens);
        const free = processor.layout(width, height, "high").tokenCount;
        if (free <= maxImageTokens) expect(tokenCount).toBe(free);
      }
    }
    const capped = published("llava_onevision", { maxImageTokens: 2048 });
    expect(capped.layout(640, 480, "high").tokenCount).toBeGreaterThan(730);
    const least = published("llava_onevision", { maxImageTokens: 1 });
    expect(least.layout(640, 480, "high").tokenCount).toBe(730);
  });

  test("canvases are those of 1 to 6 tiles unless the settings say so", () => {
    const config = { vision_config: { patch_size: 14 } };
    const bare = onevisionProcessor({ "config.json": config, "preprocessor_config.json": {} });
    expect(bare.layout(1920, 1080, "high")).toEqual(processor.layout(1920, 1080, "high"));
  });

  test("an aspect ratio of another kind is named", () => {
    const config = { vision_config: { patch_size: 14 }, vision_aspect_ratio: "pad" };
    expect(() => onevisionProcessor({ "config.json": config })).toThrow("vision_aspect_ratio");
  });
});

describe("LLaVA-1.5", () => {
  const processor = published("llava");

  test.each([
    { width: 600, height: 420, resized: [480, 336], at: [72, 0] },
    { width: 61, height: 260, resized: [336, 1432], at: [0, 548] },
    { width: 2, height: 401, resized: [336, 67_368], at: [0, 33_516] },
    { width: 20_000, height: 2, resized: [3_360_000, 336], at: [1_679_832, 0] },
  ])("the middle of $width x $height", ({ width, height, resized, at: [x, y] }) => {
    const { resizes, tiles } = processor.layout(width, height, "auto");
    const crop = { x, y, width: 336, height: 336 };
    const [w, h] = resized;
    expect(resizes).toEqual([{ from: 0, width: w, height: h, crop, filter: "bicubic" }]);
    expect(tiles).toEqual([{ from: 1, x: 0, y: 0, width: 336, height: 336 }]);
  });

  test("a crop that is larger than the resized image lies around it", () => {
    const settings = { size: { shortest_edge: 10 }, crop_size: { width: 14, height: 28 } };
    const config = { vision_config: { patch_size: 14 } };
    const files = { "config.json": config, "preprocessor_config.json": settings };
    const { resizes, tiles } = llavaProcessor(files).layout(100, 200, "auto");
    expect(resizes[0]?.crop).toEqual({ x: 0, y: 0, width: 10, height: 20 });
    expect(tiles).toEqual([{ from: 1, x: -2, y: -4, width: 14, height: 28 }]);
  });

  test("refuses what is too large once its shorter edge is enlarged", () => {
    expect(() => processor.layout(50_000, 1, "auto")).toThrow("16800000 x 336 pixels");
  });

  test("takes the same tokens whatever is asked for", () => {
    for (const detail of ["low", "high", "auto"] as const) {
      expect(processor.layout(900, 30, detail, 3).tokenCount).toBe(576);
    }
  });
});

describe("InternVL", () => {
  const processor = published("internvl");

  test("tiles come row by row, the whole image last", () => {
    const { tiles, resizes, rows, cols } = processor.layout(600, 420, "auto");
    expect(resizes).toEqual([
      { from: 0, width: 448, height: 448, filter: "bicubic" },
      { from: 0, width: 1344, height: 896, filter: "bicubic" },
    ]);
    expect([rows, cols]).toEqual([2, 3]);
    expect(tiles.map(({ from, x, y }) => [from, x, y])).toEqual([
      ...[0, 448].flatMap((y) => [0, 448, 896].map((x) => [2, x, y])),
      [1, 0, 0],
    ]);
  });

  test("low detail is one tile", () => {
    const layout = processor.layout(1920, 1080, "low");
    expect(layout.tiles).toEqual([{ from: 1, x: 0, y: 0, width: 448, height: 448 }]);
    expect([layout.tokenCount, layout.rows, layout.cols]).toEqual([256, 0, 0]);
  });

  test("maxImageTokens leaves out the grids that take more", () => {
    for (const maxImageTokens of [256, 800, 2048, 3328]) {
      const capped = published("internvl", { maxImageTokens });
      for (const [width, height] of [
        [640, 480],
        [1920, 1080],
        [100, 1500],
      ] as const) {
        const { tokenCount } = capped.layout(width, height, "high");
        expect(tokenCount).toBeLessThanOrEqual(maxImageTokens);
      }
    }
    const capped = published("internvl", { maxImageTokens: 2048 });
    expect(capped.layout(640, 480, "high").tokenCount).toBe(1792);
    const least = published("internvl", { maxImageTokens: 1 });
    expect(least.layout(640, 480, "high").tokenCount).toBe(256);
  });
});

describe("Gemma 3", () => {
  const processor = published("gemma3");
  /** The published settings with pan and scan, whose own settings they leave open. */
  const scanning = (settings: object = {}, options?: ModelOptions) => {
    const { "preprocessor_config.json": own } = publishedSettings("gemma3");
    return gemma3Processor(
      {
        "config.json": { vision_config: { image_size: 896, patch_size: 14 } },
        "preprocessor_config.json": { ...(own as object), do_pan_and_scan: true, ...settings },
      },
      options,
    );
  };
  const ONE = `\n\n<start_of_image>${"<image_soft_token>".repeat(256)}<end_of_image>\n\n`;

  test("an image is squashed, and stands between its tokens", () => {
    const layout = processor.layout(2000, 500, "high");
    expect(layout.resizes).toEqual([{ from: 0, width: 896, height: 896, filter: "bilinear" }]);
    expect(layout.tiles).toEqual([{ from: 1, x: 0, y: 0, width: 896, height: 896 }]);
    expect(layout.prompt).toBe(ONE);
    expect(processor.imageTokenId).toBe(262_144);
    expect([layout.rows, layout.cols, layout.grid]).toEqual([0, 0, [64, 64]]);
  });

  // Computed with the reference's arithmetic.
  test.each([
    { width: 2000, height: 500, edges: [500, 500, 500, 500] },
    { width: 1001, height: 400, edges: [334, 334, 333] },
    { width: 3000, height: 300, edges: [750, 750, 750, 750] },
    { width: 700, height: 1000, edges: [500, 500] },
    { width: 500, height: 1250, edges: [417, 417, 416] },
    { width: 1199, height: 1000, edges: [] }, // not long enough
    { width: 510, height: 400, edges: [] }, // crops would be too small
    { width: 1000, height: 255, edges: [] },
  ])("crops of $width x $height", ({ width, height, edges }) => {
    const { resizes, tiles, rows, cols, tokenCount } = scanning().layout(width, height, "auto");
    const size = { width: 896, height: 896 };
    let at = 0;
    const parts = edges.map((edge) => {
      const part =
        width >= height
          ? { x: at, y: 0, width: edge, height }
          : { x: 0, y: at, width, height: edge };
      at += edge;
      return { from: 0, ...size, filter: "bilinear", part };
    });
    expect(resizes).toEqual([{ from: 0, ...size, filter: "bilinear" }, ...parts]);
    expect(tiles).toEqual(resizes.map((_, i) => ({ from: i + 1, x: 0, y: 0, ...size })));
    const line = Math.min(1, edges.length);
    expect([rows, cols]).toEqual(width >= height ? [line, edges.length] : [edges.length, line]);
    expect(tokenCount).toBe((1 + edges.length) * 256);
  });

  test.each(publishedCases("gemma3-pan-and-scan"))("crops of the reference, $image", (golden) => {
    const files = publishedSettings("gemma3-pan-and-scan");
    const config = { vision_config: { image_size: 224, patch_size: 14 } };
    const processor = gemma3Processor({ ...files, "config.json": config });
    const { tokenCount, tiles } = processor.layout(golden.width, golden.height, "auto");
    expect(tokenCount).toBe(golden.image_token_count);
    expect(tiles).toHaveLength(golden.shape[0] as number);
  });

  test("crops stand in the prompt behind the image", () => {
    const { prompt } = scanning().layout(700, 1000, "auto");
    expect(prompt).toBe(
      `Here is the original image ${ONE} and here are some crops to help you see better ${ONE} ${ONE}`,
    );
  });

  test("its settings, low detail and maxImageTokens bound the crops", () => {
    const tiles = (
      settings: object,
      options?: ModelOptions,
      detail: "auto" | "low" | "high" = "auto",
    ) => scanning(settings, options).layout(2400, 600, detail).tiles.length;
    expect(tiles({})).toBe(5);
    expect(tiles({}, {}, "low")).toBe(1);
    expect(tiles({ do_pan_and_scan: null })).toBe(1);
    expect(tiles({ pan_and_scan_max_num_crops: 3 })).toBe(4);
    expect(tiles({ pan_and_scan_min_crop_size: 700 })).toBe(1);
    expect(tiles({ pan_and_scan_min_ratio_to_activate: 4.1 })).toBe(1);
    expect(tiles({}, { maxImageTokens: 1100 })).toBe(4);
    expect(tiles({}, { maxImageTokens: 600 })).toBe(1);
    expect(tiles({}, { maxImageTokens: 1 })).toBe(1);
  });

  test("a size that the tower has no positions for is named", () => {
    const config = { vision_config: { image_size: 448, patch_size: 14 } };
    const files = { ...publishedSettings("gemma3"), "config.json": config };
    expect(() => gemma3Processor(files)).toThrow("size is 896 x 896, image_size");
  });
});

describe("PaliGemma", () => {
  const processor = published("paligemma");

  test("an image is squashed, and is its tokens alone", () => {
    const layout = processor.layout(2000, 500, "low");
    expect(layout.resizes).toEqual([{ from: 0, width: 224, height: 224, filter: "bicubic" }]);
    expect(layout.prompt).toBe("<image>".repeat(256));
    expect(processor.imageTokenId).toBe(256_000);
    expect(layout.grid).toEqual([16, 16]);
  });

  test("a bos stands between the images and the text, which a line break ends", () => {
    expect(processor.frame?.(["", "", "a"], { isOpen: false })).toEqual(["", "", "<bos>a\n"]);
    expect(processor.frame?.(["", "a b"], { isOpen: true })).toEqual(["", "<bos>a b"]);
  });
});
