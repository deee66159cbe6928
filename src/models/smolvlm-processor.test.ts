import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { CheckpointFiles } from "./model.ts";
import { smolvlmProcessor } from "./smolvlm-processor.ts";

function golden<T>(path: string): T {
  const url = new URL(`../../e2e/goldens/${path}`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")) as T;
}

interface Image {
  readonly file: string;
  readonly upright_width: number;
  readonly upright_height: number;
}

const IMAGES = new Map(golden<Image[]>("images.json").map((image) => [image.file, image]));

/** The fields of SmolVLM-256M's config.json that the processor reads. */
const CONFIG = {
  image_token_id: 49_190,
  scale_factor: 4,
  vision_config: { image_size: 512, patch_size: 16 },
};

/** Of SmolVLM-2.2B. */
const CONFIG_2B = { scale_factor: 3, vision_config: { image_size: 384, patch_size: 14 } };

/** Of Idefics3-8B, whose tiles are those of the class's defaults. */
const IDEFICS3 = { scale_factor: 2, vision_config: { image_size: 364, patch_size: 14 } };

describe("published settings", () => {
  interface Case {
    readonly family: string;
    readonly image: string;
    readonly width: number;
    readonly height: number;
    readonly rows: [[number]];
    readonly cols: [[number]];
    readonly image_token_count: number;
    readonly shape: readonly [number, tiles: number, channels: number, height: number, number];
  }
  const settings = golden<Record<string, { preprocessor_config: unknown; image_seq_len: number }>>(
    "preprocess/settings.json",
  );
  const cases = golden<Case[]>("preprocess/cases.json");
  const own = cases.filter(({ family }) => family.startsWith("smolvlm"));

  test.each(own)("$family, $image", (expected) => {
    const { preprocessor_config, image_seq_len } = settings[expected.family] as {
      preprocessor_config: unknown;
      image_seq_len: number;
    };
    const processor = smolvlmProcessor({
      "config.json": expected.family === "smolvlm-2.2b" ? CONFIG_2B : CONFIG,
      "preprocessor_config.json": preprocessor_config,
      "processor_config.json": { image_seq_len },
    });
    const layout = processor.layout(expected.width, expected.height, "auto");
    expect(layout.rows).toBe(expected.rows[0][0]);
    expect(layout.cols).toBe(expected.cols[0][0]);
    expect(layout.tokenCount).toBe(expected.image_token_count);
    expect(layout.prompt.split(processor.placeholder).length - 1).toBe(expected.image_token_count);
    const [, tiles, channels, height, width] = expected.shape;
    expect(layout.tiles).toHaveLength(tiles);
    for (const tile of layout.tiles) expect([tile.height, tile.width]).toEqual([height, width]);
    const side = (length: number) => Math.floor(length / processor.patchSize);
    expect(layout.grid).toEqual([side(height), side(width)]);
    expect(processor.mean).toHaveLength(channels);
  });

  // Computed with the reference's arithmetic.
  test.each([
    { width: 224, height: 224, tokens: 1088 },
    { width: 640, height: 480, tokens: 832 },
    { width: 1024, height: 768, tokens: 832 },
    { width: 1920, height: 1080, tokens: 832 },
    { width: 2480, height: 3508, tokens: 832 },
  ])("$width x $height becomes $tokens tokens", ({ width, height, tokens }) => {
    const { preprocessor_config } = settings["smolvlm-256m-500m"] as {
      preprocessor_config: unknown;
    };
    const files = { "config.json": CONFIG, "preprocessor_config.json": preprocessor_config };
    expect(smolvlmProcessor(files).layout(width, height, "high").tokenCount).toBe(tokens);
  });
});

describe.each(["smolvlm", "smolvlm-tiles"])("checkpoint %s", (family) => {
  interface Part {
    readonly type: string;
    readonly image_url?: { readonly url: string };
  }
  interface Case {
    readonly name: string;
    readonly messages: readonly { readonly content: string | readonly Part[] }[];
    readonly prompt: string;
    readonly rows_cols?: readonly (readonly [number, number])[];
    readonly pixel_values_shape?: readonly [number, tiles: number, ...number[]];
    readonly image_token_count: number;
  }
  const files: CheckpointFiles = Object.fromEntries(
    [
      "config.json",
      "preprocessor_config.json",
      "processor_config.json",
      "special_tokens_map.json",
      "tokenizer_config.json",
    ].map((name) => [name, golden(`${family}/${name}`)]),
  );
  const cases = golden<Case[]>(`${family}/cases.json`);

  test.each(cases)("$name", (expected) => {
    const processor = smolvlmProcessor(files);
    const layouts = expected.messages
      .flatMap(({ content }) => (typeof content === "string" ? [] : content))
      .flatMap(({ image_url }) => (image_url ? [image_url.url.replace("images/", "")] : []))
      .map((file) => {
        const { upright_width, upright_height } = IMAGES.get(file) as Image;
        return processor.layout(upright_width, upright_height, "auto");
      });
    expect(layouts.map(({ rows, cols }) => [rows, cols])).toEqual(expected.rows_cols ?? []);
    const tokens = layouts.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
    expect(tokens).toBe(expected.image_token_count);
    const tiles = layouts.reduce((sum, layout) => sum + layout.tiles.length, 0);
    expect(tiles).toBe(expected.pixel_values_shape?.[1] ?? 0);

    let rest = expected.prompt;
    for (const { prompt } of layouts) {
      expect(rest).toContain(prompt);
      rest = rest.slice(rest.indexOf(prompt) + prompt.length);
    }
    expect(rest).not.toContain(processor.placeholder);
  });

  test("finds its settings in processor_config.json alone", () => {
    const joined = {
      ...files,
      "preprocessor_config.json": undefined,
      "processor_config.json": {
        ...(files["processor_config.json"] as object),
        image_processor: files["preprocessor_config.json"],
      },
    };
    const layout = smolvlmProcessor(joined).layout(300, 200, "auto");
    expect(layout).toEqual(smolvlmProcessor(files).layout(300, 200, "auto"));
  });

  test("derives image_seq_len from config.json", () => {
    const fewer = { ...files, "processor_config.json": undefined };
    const layout = smolvlmProcessor(fewer).layout(300, 200, "auto");
    expect(layout).toEqual(smolvlmProcessor(files).layout(300, 200, "auto"));
  });
});

describe("layout", () => {
  const files = { "config.json": IDEFICS3, "preprocessor_config.json": {} };

  test("defaults are Idefics3's", () => {
    const layout = smolvlmProcessor(files).layout(1000, 500, "auto");
    expect(layout.resizes).toEqual([
      { from: 0, width: 1456, height: 728, filter: "lanczos" },
      { from: 1, width: 1456, height: 728, filter: "lanczos" },
      { from: 2, width: 364, height: 364, filter: "lanczos" },
    ]);
    expect(layout.tiles[5]).toEqual({ from: 2, x: 364, y: 364, width: 364, height: 364 });
    expect(layout.tiles.at(-1)).toEqual({ from: 3, x: 0, y: 0, width: 364, height: 364 });
  });

  test("low detail is one tile", () => {
    const layout = smolvlmProcessor(files).layout(1000, 500, "low");
    expect([layout.rows, layout.cols]).toEqual([0, 0]);
    expect(layout.tiles).toEqual([{ from: 2, x: 0, y: 0, width: 364, height: 364 }]);
    expect(layout.prompt).toBe(
      "<fake_token_around_image><global-img>" + "<image>".repeat(169) + "<fake_token_around_image>",
    );
  });

  test("an image that fits in one tile is not split", () => {
    const size = { longest_edge: 364 };
    const small = { ...files, "preprocessor_config.json": { size } };
    const layout = smolvlmProcessor(small).layout(100, 30, "high");
    expect([layout.rows, layout.cols]).toEqual([0, 0]);
    expect(layout.tiles).toEqual([{ from: 2, x: 0, y: 0, width: 364, height: 364 }]);
  });

  test("an image one pixel wide is split into tiles", () => {
    const layout = smolvlmProcessor(files).layout(1, 9000, "auto");
    expect(layout.resizes[0]).toMatchObject({ width: 1, height: 1456 });
    expect([layout.rows, layout.cols]).toEqual([4, 1]);
  });

  test("no edge becomes longer than 4096", () => {
    const settings = { size: { longest_edge: 5000 }, max_image_size: { longest_edge: 512 } };
    const large = { "config.json": CONFIG, "preprocessor_config.json": settings };
    const layout = smolvlmProcessor(large).layout(300, 200, "auto");
    expect(layout.resizes[0]).toMatchObject({ width: 4096, height: 2731 });
  });

  test("refuses an image without pixels", () => {
    expect(() => smolvlmProcessor(files).layout(0, 5, "auto")).toThrow(RangeError);
  });
});

describe("a wrong setting is named", () => {
  test.each([
    [{ size: { shortest_edge: 3 } }, "preprocessor_config.json: size.longest_edge"],
    [{ resample: 4 }, "resample 4"],
    [{ max_image_size: { longest_edge: 256 } }, "max_image_size.longest_edge, in patches is 16"],
    [{ image_mean: "x" }, "preprocessor_config.json: image_mean"],
  ])("%j", (settings, message) => {
    const files = { "config.json": CONFIG, "preprocessor_config.json": settings };
    expect(() => smolvlmProcessor(files)).toThrow(message);
  });
});

describe("maxImageTokens", () => {
  const files = {
    "config.json": CONFIG,
    "preprocessor_config.json": {
      do_image_splitting: true,
      size: { longest_edge: 2048 },
      max_image_size: { longest_edge: 512 },
    },
    "processor_config.json": { image_seq_len: 64 },
  };

  test.each([
    { maxImageTokens: Infinity, tokens: 1088 },
    { maxImageTokens: 1088, tokens: 1088 },
    { maxImageTokens: 1087, tokens: 640 },
    { maxImageTokens: 320, tokens: 320 },
    { maxImageTokens: 100, tokens: 64 },
    { maxImageTokens: 1, tokens: 64 },
  ])("$maxImageTokens: a square takes $tokens", ({ maxImageTokens, tokens }) => {
    const { layout, placeholder } = smolvlmProcessor(files, { maxImageTokens });
    const { tokenCount, prompt, tiles } = layout(900, 900, "auto");
    expect(tokenCount).toBe(tokens);
    expect(prompt.split(placeholder).length - 1).toBe(tokens);
    expect(tiles).toHaveLength(tokens / 64);
  });
});
