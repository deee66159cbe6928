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
import { IMAGE_SIZES } from "./plan-checkpoint.ts";

const QUESTION = "What is in this image?";

/** What comes after the layer of a tower whose output the connector takes. */
const UNREAD: Readonly<Record<string, RegExp>> = {
  "llava-hf/llava-1.5-7b-hf": /^vision_tower\.vision_model\.(encoder\.layers\.23|post_layernorm)\./,
  "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": /^vision_tower\.vision_model\.post_layernorm\./,
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

  test("is planned, and every tensor in the file is known", async () => {
    const { engine, weights } = assemble(createModel, countingGpu(), checkpoint, {
      quantization: "q4",
    });
    await engine.prepare();
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
