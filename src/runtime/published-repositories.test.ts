import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ScriptedGenerator, decodePng, readBytes } from "../../tests/chat-support.ts";
import { PUBLISHED_REPOSITORIES, publishedRepository } from "../../tests/published-repositories.ts";
import { type ChatModel, chatModel } from "../chat/model.ts";
import { buildPrompt } from "../chat/prompt.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import type { CheckpointFiles, ImageProcessor } from "../models/model.ts";
import { createModel } from "../models/registry.ts";
import { assemble } from "./assemble.ts";
import { countingGpu } from "./counting-device.ts";
import { decodeCost } from "./decode-cost.ts";
import { IMAGE_SIZES } from "./plan-checkpoint.ts";

const QUESTION = "What is in this image?";

/** What comes after the layer of a tower whose output the connector takes. */
const UNREAD: Readonly<Record<string, RegExp>> = {
  "llava-hf/llava-1.5-7b-hf": /^vision_tower\.vision_model\.(encoder\.layers\.23|post_layernorm)\./,
  "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": /^vision_tower\.vision_model\.post_layernorm\./,
};

/**
 * Bounds of a decoded token in q4, at 1,000 tokens with keys and values in f32: dispatches, and megabytes of
 * weights, keys and values. They may only fall.
 */
const DECODE: Readonly<Record<string, readonly [dispatches: number, megabytes: number]>> = {
  "HuggingFaceTB/SmolVLM2-256M-Video-Instruct": [184, 130],
  "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": [196, 308],
  "Qwen/Qwen2-VL-2B-Instruct": [172, 1023],
  "Qwen/Qwen2.5-VL-3B-Instruct": [220, 2003],
  "Qwen/Qwen2.5-VL-7B-Instruct": [172, 4535],
  "Qwen/Qwen3-VL-2B-Instruct": [175, 1305],
  "Qwen/Qwen3-VL-4B-Instruct": [223, 2810],
  "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": [148, 334],
  "llava-hf/llava-1.5-7b-hf": [196, 5179],
  "OpenGVLab/InternVL3-1B-hf": [148, 333],
  "OpenGVLab/InternVL3_5-1B-HF": [172, 602],
  "OpenGVLab/InternVL3_5-2B-HF": [172, 1305],
  "OpenGVLab/InternVL3-38B-hf": [388, 20518],
  "OpenGVLab/InternVL3-78B-hf": [484, 45323],
  "LiquidAI/LFM2-VL-450M": [90, 248],
  "LiquidAI/LFM2-VL-1.6B": [90, 759],
  "google/gemma-3-4b-it": [208, 2705],
  "google/paligemma2-3b-mix-224": [161, 1850],
  "meta-llama/Llama-3.2-11B-Vision-Instruct": [260, 6002],
};

/** Bytes that every device binds, and so the most that a scratch tensor should take. */
const LARGEST_SCRATCH = 2 ** 27;
/** Where an image of 1,920 x 1,080 pixels takes more, and fails on such a device. */
const LARGER_SCRATCH: Readonly<Record<string, number>> = {
  "Qwen/Qwen2-VL-2B-Instruct": 8192 * 5120 * 4,
};

/** A checkpoint's name, by the organizations that publish any. */
const NAMED = /\b(?:HuggingFaceTB|Qwen|llava-hf|OpenGVLab|LiquidAI|google|meta-llama)\/[\w.-]*\w/g;

test("every checkpoint that README.md, the documentation and the demo name is here", () => {
  const pages = readdirSync("docs", { recursive: true, encoding: "utf8" });
  const texts = pages.filter((page) => page.endsWith(".md")).map((page) => `docs/${page}`);
  const named = ["README.md", "src/demo/catalogue.ts", ...texts].flatMap(
    (path) => readBytes(path).toString().match(NAMED) ?? [],
  );
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((name) => !PUBLISHED_REPOSITORIES.includes(name))).toEqual([]);
});

const chats = new Map<string, ChatModel>();

/** Repositories of one family share all files but those of their sizes. Their tokenizer is built once. */
function chatOf(files: CheckpointFiles, processor: ImageProcessor): ChatModel {
  const { added_tokens } = files["tokenizer.json"] as { added_tokens: unknown };
  const own = { "config.json": 0, "preprocessor_config.json": 0, "tokenizer.json": added_tokens };
  const key = JSON.stringify([{ ...files, ...own }, processor.chatTemplate]);
  const options = { generator: new ScriptedGenerator(), decodeImage: decodePng, compileGrammar };
  const chat = chats.get(key) ?? chatModel(files, { ...options, processor });
  chats.set(key, chat);
  return { ...chat, processor };
}

describe.each(PUBLISHED_REPOSITORIES)("%s, in its published layout", (name) => {
  const { checkpoint, expected } = publishedRepository(name);
  const model = createModel(checkpoint.files);
  const { processor, text } = model;

  test("is planned at a known cost for each token, and every tensor in the file is known", async () => {
    const gpu = countingGpu();
    const assembled = assemble(createModel, gpu, checkpoint, { quantization: "q4" });
    const { engine, weights } = assembled;
    await engine.prepare();
    const { dispatches, bytes } = await decodeCost(assembled);
    expect([dispatches, Math.round(bytes / 1e6)]).toEqual(DECODE[name]);
    const layout = assembled.model.processor.layout(1920, 1080, "auto");
    const targets = new Uint32Array(layout.attendedKeys ?? layout.tokenCount);
    const blank = { tiles: layout.tiles.length, write() {}, release() {} };
    await engine.vision.encode(blank, layout, targets);
    const largest = Math.max(...gpu.scratch.map(({ size }) => size));
    expect(largest).toBeLessThanOrEqual(LARGER_SCRATCH[name] ?? LARGEST_SCRATCH);
    const read = new Set(weights.allocated.flatMap(({ tensors }) => tensors));
    const unread = [...checkpoint.tensors.keys()].filter((tensor) => !read.has(tensor));
    expect(unread.filter((tensor) => !UNREAD[name]?.test(tensor))).toEqual([]);
  });

  test("context length and image tokens are the reference's", () => {
    expect(text.max_position_embeddings).toBe(expected.contextLength);
    const tokens = IMAGE_SIZES.map(
      ([width, height]) => processor.layout(width, height, "auto").tokenCount,
    );
    expect(tokens).toEqual(expected.imageTokens);
  });

  test("prompt and end tokens are the reference's", () => {
    const chatting = chatOf(checkpoint.files, processor);
    const [width, height] = IMAGE_SIZES[1];
    const layout = processor.layout(width, height, "auto");
    const image = { decoded: { width, height, source: new Uint8Array() }, layout };
    const content = [
      { type: "image_url" as const, image_url: { url: "data:," } },
      { type: "text" as const, text: QUESTION },
    ];
    const prompt = buildPrompt(chatting, [{ role: "user", content }], [image]);
    expect(prompt.text).toBe(expected.prompt);
    expect(prompt.ids).toEqual(expected.ids);
    expect([...chatting.defaults.stopTokenIds].sort((a, b) => a - b)).toEqual(expected.stopIds);
  });
});
