import { beforeEach, describe, expect, test, vi } from "vitest";
import { AnyGenerator } from "../../tests/any-generator.ts";
import { dataUrl, readCheckpoint, readJson } from "../../tests/chat-support.ts";
import { random } from "../../tests/seeded.ts";
import { chatModel } from "../chat/model.ts";
import type { GenerationInput, PreparedImage } from "../engine/generation.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import { createModel } from "../models/registry.ts";
import { decodeNodeImage } from "../platform/node-image.ts";
import { chatMessages, validateChatCompletion } from "./chat-completions-request.ts";
import { createHandler } from "./handler.ts";
import type { ChatCompletion, ErrorBody } from "./wire.ts";

/** A request as clients send it, without the model, and what must come. */
interface ClientRequest {
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly expect: {
    readonly status: number;
    /** A regular expression for the text. */
    readonly content?: string;
    /** A body with the same prompt ids. */
    readonly same_prompt_as?: object;
    /** A body with other prompt ids. */
    readonly other_prompt_than?: object;
    /** A body with the same prompt ids and the same pixels, so that the model gives the same answer. */
    readonly same_answer_as?: object;
    /** The `param` of the error. */
    readonly param?: string;
    /** A part of the error's message. */
    readonly message?: string;
    /** A member of the answer, a list whose items differ. */
    readonly json_unique?: string;
  };
}

const FOLDER = "e2e/goldens/qwen3_vl";
const CASES = readJson("tests/client-requests.json") as ClientRequest[];

/** Answers are random within their form, so each is asked for this often. */
const DRAWS = 5;

const files = readCheckpoint(FOLDER);
const vocabulary = (files["config.json"] as { text_config: { vocab_size: number } }).text_config
  .vocab_size;

let generator: AnyGenerator;
const chat = chatModel(files, {
  generator: { contextLength: 4096, generate: (input) => generator.generate(input) },
  processor: createModel(files).processor,
  decodeImage: decodeNodeImage,
  compileGrammar,
});
const model = { id: "org/model", created: 0, fingerprint: "fp_test", chat };
const handle = createHandler({ model: () => model });

beforeEach(() => {
  generator = new AnyGenerator(random(1), vocabulary);
});

const SHAPES = dataUrl("e2e/goldens/images/shapes.png");

/** The JSON of a schema with 10,000 schemas within one another. */
const DEEP = `${'{"items":'.repeat(10_000)}{}${"}".repeat(10_000)}`;

/** Sends a body, with images and schemas in the places of their names. */
function post(body: object): Promise<Response> {
  const json = JSON.stringify(body)
    .replaceAll("{{shapes}}", SHAPES)
    .replaceAll('"{{deep}}"', DEEP)
    .replaceAll("{{shapes;charset}}", SHAPES.replace(";base64", ";base64;charset=utf-8"));
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", headers, body: json };
  return handle(new Request("http://page.test/v1/chat/completions", init));
}

async function inputOf(body: object): Promise<GenerationInput> {
  const response = await post(body);
  expect(response.status, await response.text()).toBe(200);
  return generator.inputs.at(-1) as GenerationInput;
}

/** What the model sees of an image, whatever its file. */
const seen = ({ decoded, layout }: PreparedImage) => ({ decoded, layout });

async function answerTo(body: object): Promise<string> {
  const answer = (await (await post(body)).json()) as ChatCompletion;
  return answer.choices[0]?.message.content ?? "";
}

describe("requests that clients send", () => {
  test.each(CASES)("$name", async ({ body, expect: expected }) => {
    const response = await post(body);
    const text = await response.text();
    expect(response.status, text).toBe(expected.status);
    const { param, message, content, json_unique, same_prompt_as, same_answer_as } = expected;
    if (expected.status !== 200) {
      const { error } = JSON.parse(text) as ErrorBody;
      if (param) expect(error.param).toBe(param);
      if (message) expect(error.message).toContain(message);
    }
    if (content) {
      for (let i = 0; i < DRAWS; i++)
        expect(await answerTo(body)).toMatch(new RegExp(content, "s"));
    }
    if (json_unique) {
      for (let i = 0; i < DRAWS; i++) {
        const list = (JSON.parse(await answerTo(body)) as Record<string, unknown[]>)[json_unique];
        expect(new Set(list?.map((item) => JSON.stringify(item))).size).toBe(list?.length);
      }
    }
    const same = same_prompt_as ?? same_answer_as;
    if (same) {
      const [one, other] = [await inputOf(body), await inputOf(same)];
      expect(one.ids).toEqual(other.ids);
      const { other_prompt_than: another } = expected;
      if (another) expect(one.ids).not.toEqual((await inputOf(another)).ids);
      if (same_answer_as) expect(one.images.map(seen)).toEqual(other.images.map(seen));
    }
  });
});

test("unknown parameters are named once in the log", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const messages = [{ role: "user", content: "hi" }];
  for (let i = 0; i < 2; i++) {
    expect((await post({ messages, max_tokens: 1, temprature: 1, user: "me" })).status).toBe(200);
  }
  expect(warn.mock.calls.flat()).toEqual([
    "webvlm: chat/completions has no parameter 'temprature'; it is ignored.",
  ]);
  warn.mockRestore();
});

test("reasoning has two names", () => {
  const message = { role: "assistant", content: "x" };
  const named = (fields: object) =>
    chatMessages(validateChatCompletion({ messages: [{ ...message, ...fields }] }));
  expect(named({ reasoning: "abc" })).toEqual([{ ...message, reasoning: "abc" }]);
  expect(named({ reasoning: "old", reasoning_content: "abc" })).toEqual(
    named({ reasoning: "abc" }),
  );
});
