import { beforeAll, describe, expect, test } from "vitest";
import { cutText } from "../../tests/cut-text.ts";
import { FAMILIES } from "../../tests/families.ts";
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
import type { Model } from "./model.ts";

/** Tolerances of the goldens' README, for f32: relative to the expected tensor's rms. */
const VISION = 1e-4;
const HIDDEN = 2e-4;
/** Absolute. */
const LOGITS = 1e-3;

/** Rows enough for every prompt of the goldens in one chunk, so that captures hold all of it. */
const ROWS = 512;

const GOLDENS = FAMILIES.flatMap(({ folders, variants = [], reference = {} }) =>
  [...folders, ...variants].map((folder) => ({ folder, reference })),
);

describe.each(GOLDENS)("goldens of $folder", ({ folder, reference }) => {
  let gpu: Gpu;
  let golden: Golden;
  let engine: Engine;
  let model: Model;
  /** Vision captures of the case that runs, tile after tile. */
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

  test("has the cases that are looked at here", () => {
    const known = golden.cases.map(({ name }) => name);
    expect(names.filter((name) => known.includes(name)).length).toBeGreaterThan(3);
  });

  test("every case: tiles and image tokens", async () => {
    for (const golden_ of golden.cases) {
      const images = await prepareImages(golden_, model, "/e2e/goldens");
      const layouts = images.map(({ layout }) => layout);
      for (const [actual, recorded] of reference.layouts?.(layouts, golden_) ?? []) {
        expect(actual, golden_.name).toEqual(recorded);
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
      const expected = reference.isFilledUp ? recorded.slice(0, actual.length) : recorded;
      try {
        expectClose(Array.from(actual).slice(0, expected.length), expected, tolerance);
      } catch (error) {
        throw new Error(`${name}.${key}: ${(error as Error).message}`, { cause: error });
      }
    };
    const [{ layout } = expect.fail("no image")] = images;
    const { merge, patchSize } = model.processor;
    const tileRows = (rows: ArrayLike<number>, D: number) =>
      reference.tileRows?.(rows, D, { layout, merge }) ?? rows;
    const { hidden_size } = (golden.checkpoint.files["config.json"] as TowerConfig).vision_config;
    for (const [key, values] of vision) {
      const rows = tileRows(values, hidden_size);
      const isLayer = /^vision(_global)?\.\d+$/.test(key);
      compare(key, (isLayer && reference.layerRows?.(rows, hidden_size)) || rows, VISION);
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
    compare("pixel_values", tileRows(pixels, 3 * patchSize ** 2), 1e-5);
    const layouts = images.map(({ layout }) => layout);
    const size = (key: string) => golden.expected.get(`${name}.${key}`)?.length ?? 0;
    const tables = reference.tables?.(layouts, size) ?? {};
    for (const [key, values] of Object.entries(tables)) compare(key, values, 0);
    const positions = golden.expected.get(`${name}.position_ids`);
    if (positions) {
      const ours = model.promptPositions?.(case_.input_ids, layouts).positions ?? [];
      const T = case_.input_ids.length;
      expect(Array.from(positions, (_, i) => ours[(i % T) * 3 + Math.floor(i / T)])).toEqual([
        ...positions,
      ]);
      compared.add(`${name}.position_ids`);
    }
    const elsewhere = ["step_logits", ...(reference.unused ?? [])].map((key) => `${name}.${key}`);
    expect(recorded.filter((key) => !compared.has(key) && !elsewhere.includes(key))).toEqual([]);
  });

  test("logits of every greedy step", async () => {
    const case_ = golden.cases.find(({ name }) => name === "image") ?? expect.fail();
    const expected = golden.expected.get("image.step_logits") as Float32Array;
    const V = model.text.vocab_size;
    const steps = expected.length / V;
    const images = await prepareImages(case_, model, "/e2e/goldens");
    const ask = (maxTokens: number) =>
      generate(engine, { ids: case_.input_ids, images, maxTokens }, golden.checkpoint.files);

    const { decoder } = engine;
    const step = decoder.step.bind(decoder);
    const reads: Promise<Float32Array>[] = [];
    // The copy that a read makes comes before the next step, which overwrites the logits.
    decoder.step = (forward, sampler) => {
      const token = step(forward, sampler);
      reads.push(gpu.read(decoder.lastLogits ?? expect.fail("no logits")));
      return token;
    };
    expect(await ask(steps)).toEqual(case_.output_ids.slice(0, steps));
    decoder.step = step;
    expect(reads).toHaveLength(steps);
    for (const [n, logits] of (await Promise.all(reads)).entries()) {
      for (let i = 0; i < V; i++) {
        const difference = Math.abs((logits[i] as number) - (expected[n * V + i] as number));
        expect(difference, `step ${n}, token ${i}`).toBeLessThan(LOGITS);
      }
    }

    // The same image again leaves nothing behind.
    const { bytes } = gpu;
    for (let i = 0; i < 2; i++) await ask(1);
    expect(gpu.bytes).toBe(bytes);
  });
});

/** As the reference's processor returns it: patches, or `[tiles, 3, H, W]` put together from them. */
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
  // The tiles of a canvas come one after another in the reference.
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

interface TowerConfig {
  readonly vision_config: { readonly hidden_size: number };
}
