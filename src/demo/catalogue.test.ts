import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { kvBytesPerToken } from "../engine/kv-cache.ts";
import { EXAMPLES, nameOf, offerOf, OFFERS, SAMPLE } from "./catalogue.ts";

test.each([
  [SAMPLE, "Sample model"],
  ["HuggingFaceTB/SmolVLM2-256M-Video-Instruct", "SmolVLM2 256M"],
  ["org/My-Model", "My-Model"],
  ["https://host.example/models/tiny/", "tiny"],
])("%s is called %s", (source, name) => {
  expect(nameOf(source)).toBe(name);
});

test.each(EXAMPLES)("$image is there", ({ image }) => {
  expect(existsSync(`public/images/${image}`)).toBe(true);
});

test("the sample's numbers are those of its files", () => {
  const folder = `public/${SAMPLE}`;
  const file = readFileSync(`${folder}/model.safetensors`);
  const header = JSON.parse(file.toString("utf8", 8, 8 + Number(file.readBigUInt64LE(0))));
  delete header.__metadata__;
  const weights = { text: 0, vision: 0, embedding: 0 };
  for (const [name, { shape }] of Object.entries<{ shape: number[] }>(header)) {
    const outside = /embed_tokens|lm_head/.test(name) ? "embedding" : "text";
    const part = /vision|connector/.test(name) ? "vision" : outside;
    weights[part] += shape.reduce((product, size) => product * size, 1);
  }
  const { text_config } = JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
  expect(offerOf(SAMPLE)).toMatchObject({
    downloadBytes: file.length,
    weights,
    tokenBytes: kvBytesPerToken(text_config),
    contextLength: text_config.max_position_embeddings,
  });
});

test.each(OFFERS)("$name: a download is two bytes a weight", ({ downloadBytes, weights }) => {
  const count = weights.text + weights.vision + weights.embedding;
  expect(Math.abs(downloadBytes / (2 * count) - 1)).toBeLessThan(0.01);
});
