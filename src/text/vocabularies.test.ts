import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readJson } from "../../tests/chat-support.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import { GrammarCompiler } from "../grammar/grammar.ts";
import { Tokenizer } from "./tokenizer.ts";

interface Case {
  readonly package: string;
  readonly text: string;
  readonly ids: number[];
  readonly decoded: string;
  readonly decoded_skip_special: string;
}

const CASES = readJson("e2e/goldens/tokenizers/cases.json") as readonly Case[];

const PACKAGES = [...new Set(CASES.map((golden) => golden.package))];

describe.each(PACKAGES)("%s", (name) => {
  const file = (path: string) =>
    JSON.parse(readFileSync(`node_modules/${name}/models/${path}`, "utf8")) as object;
  const tokenizer = new Tokenizer(file("tokenizer.json"), file("tokenizer_config.json"));
  const cases = CASES.filter((golden) => golden.package === name);

  test("has the reference's ids and texts", () => {
    expect(cases.length).toBeGreaterThan(50);
    for (const { text, ids, decoded, decoded_skip_special } of cases) {
      expect(tokenizer.encode(text, { addSpecialTokens: false }), text).toEqual(ids);
      expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(decoded);
      expect(tokenizer.decode(ids)).toBe(decoded_skip_special);
    }
  });

  test("its tokens write exactly what a schema allows", async () => {
    const schema = {
      type: "object",
      properties: { "a b": { type: "string" }, n: { type: "integer" } },
      required: ["a b", "n"],
      additionalProperties: false,
    };
    const compiler = new GrammarCompiler(tokenizer, compileGrammar);
    const grammar = await compiler.compile({ type: "json_schema", schema });
    const matcher = grammar.matcher();
    const words = new Uint32Array(Math.ceil(tokenizer.size / 32));
    const allows = (id: number) => (((words[id >>> 5] as number) >>> (id & 31)) & 1) === 1;
    const text = '{"a b":"熊  \u{1f43b}\u200d❄️ é","n":-12}';
    // After a line break, because the first word of a text may start with a space.
    const ids = tokenizer.encode(`\n${text}`, { addSpecialTokens: false });
    const start = ids.findIndex((id) => tokenizer.decode([id]) === "\n") + 1;
    expect(start).toBeGreaterThan(0);
    for (const id of ids.slice(start)) {
      matcher.mask(words.fill(0));
      expect(allows(id), tokenizer.token(id)).toBe(true);
      matcher.accept(id);
    }
    expect(matcher.complete).toBe(true);
    matcher.mask(words.fill(0));
    const [more] = tokenizer.encode("}", { addSpecialTokens: false }).slice(-1) as [number];
    expect(allows(more)).toBe(false);
  });
});
