import { beforeEach, describe, expect, test } from "vitest";
import { AnyGenerator } from "../../tests/any-generator.ts";
import { dataUrl, random, readCheckpoint, readJson } from "../../tests/chat-support.ts";
import { chatModel } from "../chat/model.ts";
import type { GenerationInput } from "../engine/generation.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import { createModel } from "../models/registry.ts";
import { decodeNodeImage } from "../platform/node-image.ts";
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

/** Sends a body, with the pictures in the places of their names. */
function post(body: object): Promise<Response> {
  const json = JSON.stringify(body)
    .replaceAll("{{shapes}}", SHAPES)
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
      if (same_answer_as) expect(one.images).toEqual(other.images);
    }
  });
});
