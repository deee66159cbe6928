import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readJson } from "../../tests/chat-support.ts";
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
});
