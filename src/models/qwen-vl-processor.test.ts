import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { CheckpointFiles } from "./model.ts";
import { qwenVlProcessor } from "./qwen-vl-processor.ts";

function golden<T>(path: string): T {
  const url = new URL(`../../e2e/goldens/${path}`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")) as T;
}

interface Image {
  readonly file: string;
  readonly upright_width: number;
  readonly upright_height: number;
}

type GridThw = readonly [time: number, height: number, width: number];

const IMAGES = new Map(golden<Image[]>("images.json").map((image) => [image.file, image]));

const SETTINGS = golden<Record<string, { preprocessor_config: Record<string, unknown> }>>(
  "preprocess/settings.json",
);

/** The files of a checkpoint with the published settings of a family. */
function published(family: string): CheckpointFiles {
  return {
    "config.json": {},
    "preprocessor_config.json": SETTINGS[family]?.preprocessor_config,
  };
}

describe("published settings", () => {
  interface Case {
    readonly family: string;
    readonly image: string;
    readonly width: number;
    readonly height: number;
    readonly image_grid_thw: readonly [GridThw];
    readonly image_token_count: number;
    readonly shape: readonly [patches: number, values: number];
  }
  const cases = golden<Case[]>("preprocess/cases.json");

  test.each(cases.filter(({ family }) => family.startsWith("qwen")))(
    "$family, $image",
    (expected) => {
      const processor = qwenVlProcessor(published(expected.family));
      const { patchSize, merge, frames, mean, imageTokenId } = processor;
      const layout = processor.layout(expected.width, expected.height, "auto");
      const [P, values] = expected.shape;
      expect([1, ...layout.grid]).toEqual(expected.image_grid_thw[0]);
      expect(layout.grid[0] * layout.grid[1]).toBe(P);
      expect(layout.tokenCount).toBe(expected.image_token_count);
      expect(layout.tokenCount).toBe(P / merge ** 2);
      expect(mean.length * frames * patchSize ** 2).toBe(values);
      expect(imageTokenId).toBe(151_655);

      const size = { width: layout.grid[1] * patchSize, height: layout.grid[0] * patchSize };
      expect(layout.resizes).toEqual([{ from: 0, ...size, filter: "bicubic" }]);
      expect(layout.tiles).toEqual([{ from: 1, x: 0, y: 0, ...size }]);
      expect([layout.rows, layout.cols]).toEqual([0, 0]);
    },
  );
});

describe.each(["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])("checkpoint %s", (family) => {
  interface Part {
    readonly type: string;
    readonly image_url?: { readonly url: string };
  }
  interface Case {
    readonly name: string;
    readonly messages: readonly { readonly content: string | readonly Part[] }[];
    readonly prompt: string;
    readonly image_grid_thw?: readonly GridThw[];
    readonly pixel_values_shape?: readonly [patches: number, values: number];
    readonly image_token_count: number;
  }
  const files: CheckpointFiles = Object.fromEntries(
    ["config.json", "preprocessor_config.json"].map((name) => [name, golden(`${family}/${name}`)]),
  );
  const { image_token_id } = files["config.json"] as { image_token_id: number };
  const cases = golden<Case[]>(`${family}/cases.json`);

  test.each(cases)("$name", (expected) => {
    const processor = qwenVlProcessor(files);
    const layouts = expected.messages
      .flatMap(({ content }) => (typeof content === "string" ? [] : content))
      .flatMap(({ image_url }) => (image_url ? [image_url.url.replace("images/", "")] : []))
      .map((file) => {
        const { upright_width, upright_height } = IMAGES.get(file) as Image;
        return processor.layout(upright_width, upright_height, "auto");
      });
    expect(layouts.map(({ grid }) => [1, ...grid])).toEqual(expected.image_grid_thw ?? []);
    const patches = layouts.reduce((sum, { grid }) => sum + grid[0] * grid[1], 0);
    expect(patches).toBe(expected.pixel_values_shape?.[0] ?? 0);
    const tokens = layouts.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
    expect(tokens).toBe(expected.image_token_count);
    expect(processor.imageTokenId).toBe(image_token_id);

    const placeholders = expected.prompt.match(/<\|vision_start\|>.*?<\|vision_end\|>/gs) ?? [];
    expect(placeholders).toEqual(
      layouts.map(({ prompt }) => `<|vision_start|>${prompt}<|vision_end|>`),
    );
    const around = expected.prompt.replaceAll(/(<\|image_pad\|>)+/g, processor.placeholder);
    expect(around.split(processor.placeholder)).toHaveLength(layouts.length + 1);
  });

  test("finds its settings in processor_config.json alone", () => {
    const joined = {
      "config.json": files["config.json"],
      "processor_config.json": { image_processor: files["preprocessor_config.json"] },
    };
    const layout = qwenVlProcessor(joined).layout(300, 200, "auto");
    expect(layout).toEqual(qwenVlProcessor(files).layout(300, 200, "auto"));
  });
});

// Computed with the reference's smart_resize.
describe("sizes", () => {
  test.each([
    { width: 224, height: 224, qwen2_vl: [224, 224], qwen3_vl: [256, 256] },
    { width: 640, height: 480, qwen2_vl: [644, 476], qwen3_vl: [640, 480] },
    { width: 2480, height: 3508, qwen2_vl: [2492, 3500], qwen3_vl: [2496, 3520] },
    // Half a factor goes to the even multiple.
    { width: 98, height: 126, qwen2_vl: [112, 112], qwen3_vl: [256, 320] },
    { width: 336, height: 400, qwen2_vl: [336, 392], qwen3_vl: [320, 384] },
    // Tiny.
    { width: 1, height: 1, qwen2_vl: [56, 56], qwen3_vl: [256, 256] },
    { width: 48, height: 16, qwen2_vl: [112, 56], qwen3_vl: [448, 160] },
    // Thin.
    { width: 1, height: 200, qwen2_vl: [28, 812], qwen3_vl: [32, 3648] },
    { width: 7000, height: 35, qwen2_vl: [7000, 28], qwen3_vl: [7008, 32] },
    { width: 65535, height: 400, qwen2_vl: [45864, 280], qwen3_vl: [52416, 320] },
    // Huge.
    { width: 8000, height: 6000, qwen2_vl: [4116, 3080], qwen3_vl: [4704, 3520] },
    { width: 10000, height: 10000, qwen2_vl: [3556, 3556], qwen3_vl: [4096, 4096] },
  ])("$width x $height", ({ width, height, qwen2_vl, qwen3_vl }) => {
    for (const [family, size] of Object.entries({ qwen2_vl, qwen3_vl })) {
      const [tile] = qwenVlProcessor(published(family)).layout(width, height, "high").tiles;
      expect([tile?.width, tile?.height]).toEqual(size);
    }
  });

  test("the longer edge may be at most 200 times the shorter one", () => {
    const processor = qwenVlProcessor(published("qwen2_vl"));
    expect(processor.layout(2, 400, "auto").tokenCount).toBe(29);
    expect(() => processor.layout(2, 401, "auto")).toThrow(RangeError);
    expect(() => processor.layout(401, 2, "auto")).toThrow("more than 200 times as long");
  });

  test("refuses an image without pixels", () => {
    expect(() => qwenVlProcessor(published("qwen2_vl")).layout(0, 5, "auto")).toThrow(RangeError);
  });
});

describe("settings", () => {
  const tokensOf = (settings: unknown, [width, height]: readonly [number, number]) =>
    qwenVlProcessor({ "config.json": {}, "preprocessor_config.json": settings }).layout(
      width,
      height,
      "auto",
    ).tokenCount;

  test("defaults are Qwen2-VL's", () => {
    const processor = qwenVlProcessor({ "config.json": {}, "preprocessor_config.json": {} });
    const { patchSize, merge, frames, rescale } = processor;
    expect({ patchSize, merge, frames, rescale }).toEqual({
      patchSize: 14,
      merge: 2,
      frames: 2,
      rescale: 1 / 255,
    });
    const { mean, std } = qwenVlProcessor(published("qwen2_vl"));
    expect([processor.mean, processor.std]).toEqual([mean, std]);
    const [huge] = processor.layout(8000, 6000, "auto").tiles;
    expect([huge?.width, huge?.height]).toEqual([1148, 840]);
    expect(processor.layout(1, 1, "auto").tokenCount).toBe(4);
  });

  test("pixel limits have two spellings, and the older one wins", () => {
    const [min, max] = [50 * 28 * 28, 100 * 28 * 28];
    const size = { shortest_edge: min, longest_edge: max };
    const nulls = { min_pixels: null, max_pixels: null };
    for (const settings of [
      { size },
      { size, ...nulls },
      { min_pixels: min, max_pixels: max },
      { size: null, min_pixels: min, max_pixels: max },
      { size: { shortest_edge: 1, longest_edge: 1 }, min_pixels: min, max_pixels: max },
      { size: { longest_edge: max }, min_pixels: min },
    ]) {
      expect(tokensOf(settings, [28, 28])).toBe(64);
      expect(tokensOf(settings, [2800, 2800])).toBe(100);
    }
  });

  test("one limit in the older spelling leaves the other at its default", () => {
    expect(tokensOf({ max_pixels: 100 * 28 * 28 }, [2800, 2800])).toBe(100);
    expect(tokensOf({ max_pixels: 100 * 28 * 28 }, [28, 28])).toBe(4);
  });

  test("rescaling and normalisation can be switched off", () => {
    const settings = { do_rescale: false, do_normalize: false };
    const files = { "config.json": {}, "preprocessor_config.json": settings };
    const { mean, std, rescale } = qwenVlProcessor(files);
    expect({ mean, std, rescale }).toEqual({ mean: [0, 0, 0], std: [1, 1, 1], rescale: 1 });
  });

  test.each([
    [{ size: { longest_edge: 5 } }, "size.shortest_edge: expected a number of pixels"],
    [{ size: { shortest_edge: 5 } }, "size.longest_edge: expected a number of pixels"],
    [{ max_pixels: 0 }, "max_pixels"],
    [{ merge_size: 0 }, "merge_size"],
    [{ resample: 4 }, "resample 4"],
    [{ image_std: "x" }, "image_std"],
    [{ merge_size: 0 }, "merge_size"],
  ])("a wrong setting is named: %j", (settings, message) => {
    const files = { "config.json": {}, "preprocessor_config.json": settings };
    expect(() => qwenVlProcessor(files)).toThrow(message);
    expect(() => qwenVlProcessor(files)).toThrow("preprocessor_config.json");
  });
});

describe("fewer tokens", () => {
  test("low detail shrinks only images of more than 256 tokens", () => {
    for (const family of ["qwen2_vl", "qwen3_vl"]) {
      const processor = qwenVlProcessor(published(family));
      expect(processor.layout(3000, 3000, "low").tokenCount).toBe(256);
      expect(processor.layout(1920, 1080, "low").tokenCount).toBeLessThanOrEqual(256);
      expect(processor.layout(300, 200, "low")).toEqual(processor.layout(300, 200, "high"));
    }
  });

  test("low detail respects min_pixels and max_pixels", () => {
    const layout = (min: number, max: number) => {
      const pixels = { min_pixels: min * 28 * 28, max_pixels: max * 28 * 28 };
      const files = { "config.json": {}, "preprocessor_config.json": pixels };
      return qwenVlProcessor(files).layout(3000, 3000, "low");
    };
    expect(layout(400, 900).tokenCount).toBe(400);
    expect(layout(4, 100).tokenCount).toBe(100);
  });

  test("maxImageTokens caps max_pixels", () => {
    const files = published("qwen2_vl");
    const capped = qwenVlProcessor(files, { maxImageTokens: 1024 });
    expect(capped.layout(3000, 3000, "high").tokenCount).toBe(1024);
    expect(capped.layout(3000, 3000, "low").tokenCount).toBe(256);
    expect(capped.layout(640, 480, "auto")).toEqual(
      qwenVlProcessor(files).layout(640, 480, "auto"),
    );
    const above = qwenVlProcessor(files, { maxImageTokens: 100_000 });
    expect(above.layout(9000, 9000, "auto")).toEqual(
      qwenVlProcessor(files).layout(9000, 9000, "auto"),
    );
  });

  test("maxImageTokens caps min_pixels too", () => {
    const capped = qwenVlProcessor(published("qwen3_vl"), { maxImageTokens: 16 });
    expect(capped.layout(32, 32, "auto").tokenCount).toBe(16);
    expect(capped.layout(3000, 3000, "low").tokenCount).toBe(16);
  });
});
