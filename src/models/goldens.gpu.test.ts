import { beforeAll, describe, expect, test } from "vitest";
import { cutText } from "../../tests/cut-text.ts";
import { GOLDEN_FAMILIES, type GoldenFamily } from "../../tests/families.ts";
import {
  type Golden,
  generate,
  openEngine,
  openGolden,
  prepareImages,
} from "../../tests/golden.ts";
import { expectClose, testGpu } from "../../tests/support.ts";
import { chat } from "../chat/chat.ts";
import type { ChatMessage } from "../chat/messages.ts";
import { chatModel } from "../chat/model.ts";
import type { Engine } from "../engine/engine.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "../gpu/plan.ts";
import { bufferOf } from "../gpu/tensor.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import { createHandler } from "../openai/handler.ts";
import { decodeImage } from "../platform/decode-image.ts";
import type { ImageLayout, Model } from "./model.ts";
import { blockOrder } from "./patch-blocks.ts";

/** Tolerances in f32, relative to the rms of the expected tensor. */
const VISION = 1e-4;
const HIDDEN = 2e-4;
/** Absolute. */
const LOGITS = 1e-3;

/** Prefill rows that hold every prompt of the goldens in one chunk, so that captures are complete. */
const ROWS = 512;

const CASES: readonly GoldenFamily[] = [...GOLDEN_FAMILIES, { folder: "smolvlm-tiles" }];

describe.each(CASES)("goldens of $folder", (family) => {
  const { folder, unmatched = [], isPadded = false, ourRow = (row: number) => row } = family;
  let gpu: Gpu;
  let golden: Golden;
  let engine: Engine;
  let model: Model;
  /** Captures of the vision passes of the current case, tile after tile. */
  const vision = new Map<string, number[]>();
  const names = [
    ...["image", "two_images", "large", "text", "image_last", "two_turns", "system"],
    ...["odd", "webp"],
  ];

  beforeAll(async () => {
    gpu = await testGpu();
    golden = await openGolden(folder);
    const onVisionPass = async (plan: Plan): Promise<void> => {
      for (const [name, tensor] of plan.captures) {
        const all = vision.get(name) ?? [];
        for (const value of await gpu.read(tensor)) all.push(value);
        vision.set(name, all);
      }
    };
    const options = { captures: true, prefillRows: ROWS, contextLength: 1024, onVisionPass };
    ({ engine, model } = await openEngine(gpu, golden.checkpoint, "f32", options));
  });

  test("has the cases that are checked here", () => {
    const known = golden.cases.map(({ name }) => name);
    expect(names.filter((name) => known.includes(name)).length).toBeGreaterThan(3);
  });

  test("every case: tiles and image tokens", async () => {
    for (const golden_ of golden.cases) {
      const images = await prepareImages(golden_, model, "/e2e/goldens");
      const layouts = images.map(({ layout }) => layout);
      if (golden_.rows_cols) {
        const split = golden_.rows_cols.map(([rows, cols]) =>
          rows * cols === 1 ? [0, 0] : [rows, cols],
        );
        expect(layouts.map(({ rows, cols }) => [rows, cols])).toEqual(split);
      }
      if (golden_.spatial_shapes) {
        const grids = layouts.flatMap(({ grid, tiles }) => tiles.map((tile) => tile.grid ?? grid));
        expect(grids).toEqual(golden_.spatial_shapes);
      }
      if (golden_.tiles_per_image) {
        expect(layouts.map(({ tiles }) => tiles.length)).toEqual(golden_.tiles_per_image);
      }
      if (golden_.batch_num_images) {
        expect(layouts.map(({ size: [width, height] }) => [height, width])).toEqual(
          golden_.image_sizes,
        );
        const tiles = layouts.map(({ tiles }) => tiles.length);
        expect([layouts.length, Math.max(...tiles)]).toEqual(
          golden_.pixel_values_shape?.slice(0, 2),
        );
      }
      if (golden_.tiles) {
        expect(layouts.map(({ rows, cols }) => rows * cols || 1)).toEqual(golden_.tiles[0]);
      }
      if (golden_.image_grid_thw) {
        expect(layouts.map(({ grid }) => [1, ...grid])).toEqual(golden_.image_grid_thw);
      }
      const rows = layouts.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
      expect(rows).toBe(golden_.image_token_count);
    }
  });

  test("every case, from its messages to the answer: prompt, ids, text, finish", async () => {
    const chatting = chatModel(golden.checkpoint.files, {
      generator: engine,
      processor: model.processor,
      decodeImage,
      compileGrammar,
      baseUrl: new URL("/e2e/goldens/", location.href).href,
    });
    const handle = createHandler({
      model: () => ({ id: folder, created: 0, fingerprint: "test", chat: chatting }),
    });
    for (const { name, messages, max_tokens, ...golden_ } of golden.cases) {
      const { prompt } = await chat(chatting, { messages: messages as ChatMessage[] });
      expect(prompt.text, name).toBe(golden_.prompt);
      const body = JSON.stringify({ messages, max_tokens, temperature: 0, return_token_ids: true });
      const url = new URL("/v1/chat/completions", location.href);
      const response = await handle(new Request(url, { method: "POST", body }));
      expect(await response.json(), name).toMatchObject({
        prompt_token_ids: golden_.input_ids,
        choices: [
          {
            token_ids: golden_.output_ids,
            message: { content: cutText(golden_, chatting.tokenizer) },
            finish_reason: golden_.finish_reason,
          },
        ],
        usage: {
          prompt_tokens: golden_.input_ids.length,
          prompt_tokens_details: { image_tokens: golden_.image_token_count },
        },
      });
    }
  });

  test.each(["image", "two_images", "large"])("every recorded tensor of %s", async (name) => {
    const recorded = [...golden.expected.keys()].filter((key) => key.startsWith(`${name}.`));
    const case_ = golden.cases.find((one) => one.name === name);
    if (recorded.length === 0 || !case_) return expect(recorded).toEqual([]);
    vision.clear();
    const images = await prepareImages(case_, model, "/e2e/goldens");
    await generate(engine, { ids: case_.input_ids, images, maxTokens: 1 }, golden.checkpoint.files);

    const compared = new Set<string>();
    const compare = (key: string, actual: ArrayLike<number>, tolerance: number): void => {
      const recorded = golden.expected.get(`${name}.${key}`);
      if (!recorded) return;
      compared.add(`${name}.${key}`);
      const expected = isPadded ? recorded.slice(0, actual.length) : recorded;
      try {
        expectClose(Array.from(actual).slice(0, expected.length), expected, tolerance);
      } catch (error) {
        throw new Error(`${name}.${key}: ${(error as Error).message}`, { cause: error });
      }
    };
    const [{ layout } = expect.fail("no image")] = images;
    const inOrder = (patches: ArrayLike<number>, D: number) =>
      isPadded ? rowByRow(patches, layout, model.processor.merge, D) : patches;
    const { hidden_size } = (golden.checkpoint.files["config.json"] as TowerConfig).vision_config;
    for (const [key, values] of vision) {
      const rows = inOrder(values, hidden_size);
      const ofLayer = /^vision(_global)?\.\d+$/.test(key);
      compare(key, ofLayer ? reorder(rows, hidden_size, ourRow) : rows, VISION);
    }
    for (const [key, tensor] of engine.decoder.lastForward?.captures ?? []) {
      compare(key, await gpu.read(tensor), HIDDEN);
    }
    const logits = await gpu.read(engine.decoder.lastLogits ?? expect.fail("no logits"));
    const expected = golden.expected.get(`${name}.logits`) as Float32Array;
    compared.add(`${name}.logits`);
    expected.forEach((value, i) =>
      expect(Math.abs((logits[i] as number) - value)).toBeLessThan(LOGITS),
    );

    for (const [i, state] of (model.crossAttention ? [] : engine.imageStates).entries()) {
      compare(i === 0 ? "image_embeds" : `deepstack.${i - 1}`, await gpu.read(state), VISION);
    }
    const source = await prepareImages(case_, model, "/e2e/goldens");
    const pixels = await pixelValues(gpu, model, source[0] ?? expect.fail());
    compare("pixel_values", inOrder(pixels, 3 * model.processor.patchSize ** 2), 1e-5);
    if (isPadded) {
      const grids = images.flatMap(({ layout }) => layout.tiles.map((t) => t.grid ?? layout.grid));
      compare("spatial_shapes", grids.flat(), 0);
      const patches = layout.grid[0] * layout.grid[1];
      const mask = golden.expected.get(`${name}.pixel_attention_mask`) ?? [];
      const ones = Array.from(mask, (_, i) => Number(i < patches));
      compare("pixel_attention_mask", ones, 0);
    }
    const positions = golden.expected.get(`${name}.position_ids`);
    if (positions) {
      const layouts = images.map(({ layout }) => layout);
      const ours = model.promptPositions?.(case_.input_ids, layouts).positions ?? [];
      const T = case_.input_ids.length;
      expect(Array.from(positions, (_, i) => ours[(i % T) * 3 + Math.floor(i / T)])).toEqual([
        ...positions,
      ]);
      compared.add(`${name}.position_ids`);
    }
    const elsewhere = ["step_logits", ...unmatched].map((key) => `${name}.${key}`);
    expect(recorded.filter((key) => !compared.has(key) && !elsewhere.includes(key))).toEqual([]);
  });

  test("logits of every greedy step", async () => {
    const case_ = golden.cases.find(({ name }) => name === "image") ?? expect.fail();
    const expected = golden.expected.get("image.step_logits") as Float32Array;
    const V = model.text.vocab_size;
    const images = await prepareImages(case_, model, "/e2e/goldens");
    const bytes: number[] = [];
    for (let step = 0; step < expected.length / V; step++) {
      // The logits of step n are those of the last position of a prompt that ends in n answer tokens,
      // unless these would change the states of the tokens before them.
      const generated = model.bidirectional === "prompt" ? step : 0;
      const ids = [...case_.input_ids, ...case_.output_ids.slice(0, step - generated)];
      await generate(engine, { ids, images, maxTokens: generated + 1 }, golden.checkpoint.files);
      const logits = await gpu.read(engine.decoder.lastLogits ?? expect.fail("no logits"));
      for (let i = 0; i < V; i++) {
        const difference = Math.abs((logits[i] as number) - (expected[step * V + i] as number));
        expect(difference).toBeLessThan(LOGITS);
      }
      bytes.push(gpu.bytes);
    }
    // Repeated requests with the same image allocate nothing more.
    expect(bytes.at(-1)).toBe(bytes[1]);
  });
});

/** The pixel values as the reference's processor returns them: patches, or tiles `[tiles, 3, H, W]`. */
async function pixelValues(
  gpu: Gpu,
  model: Model,
  image: Awaited<ReturnType<typeof prepareImages>>[number],
): Promise<Float32Array> {
  const { preparePatches } = await import("../image/preprocess.ts");
  const source = await preparePatches(gpu, image, model.processor);
  const { patchSize: p, frames } = model.processor;
  const { grid, tiles, rows, cols } = image.layout;
  const P = grid[0] * grid[1];
  const T = tiles.reduce((sum, tile) => sum + (tile.grid ?? grid).reduce((h, w) => h * w), 0);
  const into = gpu.tensor("patches", [T, 3 * frames * p * p]);
  source.write(0, source.tiles, into);
  const patches = await gpu.read(into);
  source.release();
  gpu.release(bufferOf(into));
  if (frames > 1 || model.processor.channelsLast) return patches;
  // The reference has the tiles of a canvas one after another.
  const [down, across] = tiles.length === 1 ? [rows || 1, cols || 1] : [1, 1];
  const [height, width] = [(grid[0] * p) / down, (grid[1] * p) / across];
  const pixels = new Float32Array(patches.length);
  patches.forEach((value, i) => {
    const channel = Math.floor(i / (p * p)) % 3;
    const index = Math.floor(i / (3 * p * p));
    const x = (index % grid[1]) * p + (i % p);
    const y = Math.floor((index % P) / grid[1]) * p + (Math.floor(i / p) % p);
    const part = Math.floor(y / height) * across + Math.floor(x / width);
    const plane = (Math.floor(index / P) * down * across + part) * 3 + channel;
    pixels[(plane * height + (y % height)) * width + (x % width)] = value;
  });
  return pixels;
}

/** @returns rows of D values; each is row `of(row)` of `values` */
function reorder(
  values: ArrayLike<number>,
  D: number,
  of: (row: number) => number,
): ArrayLike<number> {
  return Array.from(values, (_, i) => values[of(Math.floor(i / D)) * D + (i % D)] as number);
}

interface TowerConfig {
  readonly vision_config: { readonly hidden_size: number };
}

/** Reorders the patches of a tile `[at least P, D]` from blocks of merge x merge to row by row, `[P, D]`. */
function rowByRow(
  patches: ArrayLike<number>,
  { grid }: Pick<ImageLayout, "grid">,
  merge: number,
  D: number,
): number[] {
  const rows: number[] = [];
  blockOrder({ grid }, merge).forEach(({ y, x }, p) => {
    for (let i = 0; i < D; i++) rows[(y * grid[1] + x) * D + i] = patches[p * D + i] as number;
  });
  return rows;
}
