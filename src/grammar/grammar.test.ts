import addFormats from "ajv-formats";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test, vi } from "vitest";
import { SAMPLE, readCheckpoint } from "../../tests/chat-support.ts";
import { randomSchema } from "../../tests/random-schema.ts";
import { random } from "../../tests/seeded.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { compileGrammar } from "./compile-grammar.ts";
import { GrammarCompiler, type Matcher } from "./grammar.ts";
import type { GrammarSource } from "./source.ts";
import type { Vocabulary } from "./token-trie.ts";

const ajv = new Ajv2020({ strict: false, ownProperties: true });
addFormats.default(ajv);

function tokenizerOf(folder: string): Tokenizer {
  const files = readCheckpoint(folder);
  return new Tokenizer(files["tokenizer.json"] as object, files["tokenizer_config.json"] as object);
}

/** @returns the allowed ids; checks that no bit beyond the vocabulary is set */
function allowed(matcher: Matcher, size: number): number[] {
  const words = new Uint32Array(Math.ceil(size / 32) + 1).fill(0xffffffff);
  matcher.mask(words);
  const ids: number[] = [];
  for (let id = 0; id < 32 * words.length; id++) {
    if (((words[id >>> 5] as number) >>> (id & 31)) & 1) ids.push(id);
  }
  return ids;
}

/** Samples an allowed token. Ends where the text may end, at random where it may also continue. */
function randomText(matcher: Matcher, tokenizer: Tokenizer, below: (n: number) => number): string {
  const ids: number[] = [];
  for (;;) {
    const next = allowed(matcher, tokenizer.size);
    if (matcher.complete && (next.length === 0 || below(3) === 0)) return tokenizer.decode(ids);
    const id = next[below(next.length)];
    if (id === undefined) throw new Error(`nothing may come after ${tokenizer.decode(ids)}`);
    ids.push(id);
    matcher.accept(id);
    if (ids.length > 4000) throw new Error(`no end to ${tokenizer.decode(ids)}`);
  }
}

describe.each([SAMPLE, "e2e/goldens/qwen2_5_vl", "e2e/goldens/smolvlm"])(
  "with the tokenizer of %s",
  (folder) => {
    const tokenizer = tokenizerOf(folder);
    const compiler = new GrammarCompiler(tokenizer, compileGrammar);
    const matcherOf = async (source: GrammarSource) => (await compiler.compile(source)).matcher();

    test("random texts of a hundred random schemas are valid", async () => {
      for (let seed = 0; seed < 100; seed++) {
        const below = random(seed);
        const schema = randomSchema(below);
        const matcher = await matcherOf({ type: "json_schema", schema });
        const text = randomText(matcher, tokenizer, below);
        const isValid = ajv.validate(schema as object, JSON.parse(text));
        expect(isValid, `${text} by ${JSON.stringify(schema)}: ${ajv.errorsText()}`).toBe(true);
      }
    });

    test("random texts match an expression and a grammar", async () => {
      const below = random(5);
      const pattern = "(?:[a-z]{2,5} ?){1,4}|\\d{3}-\\d{4}|[é日🐻]{1,3}";
      const regex = await matcherOf({ type: "regex", pattern });
      expect(randomText(regex, tokenizer, below)).toMatch(new RegExp(`^(?:${pattern})$`, "u"));
      const grammar = 'root ::= "<" ("a" | "é"){3,9} ">"';
      const ebnf = await matcherOf({ type: "ebnf", grammar });
      expect(randomText(ebnf, tokenizer, below)).toMatch(/^<[aé]{3,9}>$/);
    });

    test("a mask allows exactly the tokens that match when tried alone", async () => {
      const source: GrammarSource = {
        type: "json_schema",
        schema: { type: "string", maxLength: 3 },
      };
      const grammar = await compiler.compile(source);
      for (const prefix of ["", '"', '"a', '"é\\', '"abc']) {
        const start = () => {
          const matcher = grammar.matcher();
          for (const id of tokenizer.encode(prefix, { addSpecialTokens: false }))
            matcher.accept(id);
          return matcher;
        };
        const tried = Array.from({ length: tokenizer.size }, (_, id) => id).filter((id) => {
          if (tokenizer.isSpecial(id) || tokenizer.bytes(id).length === 0) return false;
          try {
            start().accept(id);
            return true;
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
            return false;
          }
        });
        expect(tried.length).toBeGreaterThan(0);
        expect(allowed(start(), tokenizer.size), JSON.stringify(prefix)).toEqual(tried);
      }
    });
  },
);

describe("a grammar compiler", () => {
  const vocabulary: Vocabulary = {
    size: 40,
    bytes: (id) => new TextEncoder().encode(["", "a", "a", "ab", "b", "<end>"][id] ?? ""),
    isSpecial: (id) => id === 5,
  };
  const regex = (pattern: string): GrammarSource => ({ type: "regex", pattern });
  const matcherOf = async (pattern: string): Promise<Matcher> => {
    const compiler = new GrammarCompiler(vocabulary, compileGrammar);
    return (await compiler.compile(regex(pattern))).matcher();
  };

  test("allows all tokens with the same text, and no special tokens", async () => {
    const matcher = await matcherOf(".*");
    expect(allowed(matcher, 40)).toEqual([1, 2, 3, 4]);
  });

  test("fills masks that are smaller or larger than the vocabulary", async () => {
    const matcher = await matcherOf("ab");
    const narrow = new Uint32Array(1).fill(7);
    matcher.mask(narrow);
    expect([...narrow]).toEqual([0b1110]);
    const wide = new Uint32Array(5).fill(7);
    matcher.mask(wide);
    expect([...wide]).toEqual([0b1110, 0, 0, 0, 0]);
  });

  test("reports whether the text is complete", async () => {
    const matcher = await matcherOf("ab?");
    const states = [matcher.complete];
    for (const id of [1, 4]) {
      matcher.accept(id);
      states.push(matcher.complete);
    }
    expect(states).toEqual([false, true, true]);
    expect(allowed(matcher, 40)).toEqual([]);
    expect(() => matcher.accept(1)).toThrow(RangeError);
  });

  test("gives each request a matcher of its own", async () => {
    const grammar = await new GrammarCompiler(vocabulary, compileGrammar).compile(regex("ab"));
    const [one, other] = [grammar.matcher(), grammar.matcher()];
    one.accept(3);
    expect([one.complete, other.complete]).toEqual([true, false]);
  });

  test("compiles a source once", async () => {
    const compile = vi.fn(compileGrammar);
    const compiler = new GrammarCompiler(vocabulary, compile);
    for (const pattern of ["ab", "b", "ab", "ab"]) await compiler.compile(regex(pattern));
    expect(compile.mock.calls).toEqual([[regex("ab")], [regex("b")]]);
  });

  test("reads the vocabulary once, for the first grammar", async () => {
    const bytes = vi.fn((id: number) => vocabulary.bytes(id));
    const compiler = new GrammarCompiler({ ...vocabulary, bytes }, compileGrammar);
    expect(bytes).not.toHaveBeenCalled();
    for (let i = 0; i < 50; i++) await compiler.compile(regex(`a{${i}}`));
    expect(bytes.mock.calls.length).toBeLessThanOrEqual(vocabulary.size);
  });

  test("continues after it has forgotten states", async () => {
    const matcher = await matcherOf("a{9000}b");
    for (let i = 0; i < 9000; i++) {
      if (i % 1000 === 0) expect(allowed(matcher, 40)).toEqual([1, 2]);
      matcher.accept(1);
    }
    expect(allowed(matcher, 40)).toEqual([4]);
    matcher.accept(4);
    expect(matcher.complete).toBe(true);
  });
});
