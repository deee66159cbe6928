import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { describe, expect, test } from "vitest";
import { SAMPLE, type TextCase, readCheckpoint, readJson } from "../../tests/chat-support.ts";
import { cutText } from "../../tests/cut-text.ts";
import { random } from "../../tests/seeded.ts";
import { Tokenizer } from "./tokenizer.ts";

const FOLDERS = {
  sample: [SAMPLE, "e2e/goldens/sample"],
  smolvlm: ["e2e/goldens/smolvlm", "e2e/goldens/smolvlm"],
  "smolvlm-tiles": ["e2e/goldens/smolvlm-tiles", "e2e/goldens/smolvlm-tiles"],
} as const;

describe.each(Object.entries(FOLDERS))("%s", (name, [checkpoint, cases]) => {
  const files = readCheckpoint(checkpoint);
  const [json, config] = [
    files["tokenizer.json"] as object,
    files["tokenizer_config.json"] as object,
  ];
  const tokenizer = new Tokenizer(json, config);

  test("has the vocabulary's size and special tokens", () => {
    expect(tokenizer.token(tokenizer.size - 1)).toBeDefined();
    expect(tokenizer.token(tokenizer.size)).toBeUndefined();
    const { added_tokens } = json as { added_tokens: { id: number; special: boolean }[] };
    for (const { id, special } of added_tokens) expect(tokenizer.isSpecial(id)).toBe(special);
    const [text] = tokenizer.encode("a", { addSpecialTokens: false }) as [number];
    expect(tokenizer.isSpecial(text)).toBe(false);
  });

  test("has the reference's ids for every prompt and its text for every answer", () => {
    for (const golden of readJson(`${cases}/cases.json`) as TextCase[]) {
      const addSpecialTokens = golden.add_special_tokens ?? false;
      // The sample's recorded prompts have unexpanded images, and its answers are trimmed.
      if (name === "sample") {
        expect(tokenizer.decode(golden.output_ids).trim()).toBe(golden.text);
      } else {
        expect(tokenizer.encode(golden.prompt, { addSpecialTokens })).toEqual(golden.input_ids);
        expect(tokenizer.decode(golden.output_ids)).toBe(cutText(golden, tokenizer));
      }
    }
  });

  test("streams the text that the library decodes at once, for any tokens", () => {
    const hub = new HubTokenizer(json, config);
    const next = random(1);
    const size = hub.get_vocab().size;
    const [end] = tokenizer.encode("!", { addSpecialTokens: false }) as [number];
    for (let round = 0; round < 500; round++) {
      // The last token ends an unfinished character, which would be dropped.
      const ids = [...Array.from({ length: 1 + next(40) }, () => next(size)), end];
      for (const skipSpecialTokens of [true, false]) {
        const detokenizer = tokenizer.detokenizer({ skipSpecialTokens });
        const streamed = ids.map((id) => detokenizer.push(id)).join("") + detokenizer.end();
        const options = {
          skip_special_tokens: skipSpecialTokens,
          clean_up_tokenization_spaces: false,
        };
        expect(streamed).toBe(hub.decode(ids, options));
      }
    }
  });

  test("splits no character of a real text", () => {
    const text = "Ein Bär, 熊, ひぐま, 🐻‍❄️ and ﷽ — naïve?\n";
    const detokenizer = tokenizer.detokenizer();
    const deltas = tokenizer
      .encode(text, { addSpecialTokens: false })
      .map((id) => detokenizer.push(id));
    expect(deltas.join("")).toBe(text);
    for (const delta of deltas) expect(delta).not.toContain("\uFFFD");
  });
});

describe("Tokenizer", () => {
  const files = readCheckpoint(SAMPLE);
  const json = files["tokenizer.json"] as object;
  const tokenizer = new Tokenizer(json, files["tokenizer_config.json"] as object);

  test("ignores ids outside the vocabulary", () => {
    const [id] = tokenizer.encode("a", { addSpecialTokens: false }) as [number];
    expect(tokenizer.decode([id, 1_000_000, id])).toBe("aa");
    expect(tokenizer.decode([])).toBe("");
  });

  test("has bytes of tokens that join to those of the text", () => {
    const text = "熊 🐻 Zoë\n!";
    const ids = tokenizer.encode(text, { addSpecialTokens: false });
    const bytes = ids.flatMap((id) => [...tokenizer.bytes(id)]);
    expect(bytes).toEqual([...new TextEncoder().encode(text)]);
    expect([...tokenizer.bytes(1_000_000)]).toEqual([]);
  });

  test("encodes a lone surrogate as U+FFFD", () => {
    const ids = tokenizer.encode("a\ud800b", { addSpecialTokens: false });
    expect(tokenizer.decode(ids)).toBe("a\uFFFDb");
  });

  test("reads special tokens written as strings or objects", () => {
    expect(tokenizer.namedTokens).toMatchObject({ eos_token: "<end_of_utterance>" });
    const other = new Tokenizer(json, { bos_token: { content: "<s>" }, eos_token: null });
    expect(other.namedTokens).toEqual({ bos_token: "<s>" });
  });

  test("refuses an unknown decoder", () => {
    const odd = { ...json, decoder: { type: "ByteLevel", decoders: [] } };
    expect(() => new Tokenizer(odd)).not.toThrow();
    const unknown = { ...json, decoder: { type: "WordPiece", prefix: "##", cleanup: true } };
    expect(() => new Tokenizer(unknown)).toThrow(/unknown decoder step .*WordPiece/);
  });
});
