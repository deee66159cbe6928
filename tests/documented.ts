import { expect } from "vitest";
import { type ChatModel, type ChatModelOptions, chatModel } from "../src/chat/model.ts";
import type { GenerationInput } from "../src/engine/generation.ts";
import { compileGrammar } from "../src/grammar/compile-grammar.ts";
import { createHandler } from "../src/openai/handler.ts";
import type { ChatCompletion, ErrorBody } from "../src/openai/wire.ts";
import {
  SAMPLE,
  ScriptedGenerator,
  decodePng,
  readBytes,
  readCheckpoint,
  scriptedModel,
} from "./chat-support.ts";

/** docs/parameters.md, whose promises are tested. */
export const PARAMETERS_PAGE = readBytes("docs/parameters.md").toString();

/** The texts between two backticks in a part of the page. */
export const namesIn = (text: string): string[] =>
  [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);

const EOS = 1023;

let answering = new ScriptedGenerator();
const generator = {
  contextLength: 2048,
  generate: (input: GenerationInput) => answering.generate(input),
};

/** The sample's model, whose answers are scripted. */
export const sample: ChatModel = scriptedModel(generator);

/** From now on, the model answers with this text. Call it before each test. */
export function answerWith(text = "A red circle."): void {
  const ids = sample.tokenizer.encode(text, { addSpecialTokens: false });
  answering = new ScriptedGenerator([...ids, EOS]);
}

/** What the model was asked since the last `answerWith`. */
export const inputs = (): readonly GenerationInput[] => answering.inputs;

/** The sample's model with some other files, processor or decoder. */
export function sampleWith(
  files: object,
  options: Partial<Pick<ChatModelOptions, "processor" | "decodeImage">> = {},
): ChatModel {
  const all = { ...readCheckpoint(SAMPLE), ...files };
  const { processor } = sample;
  return chatModel(all, {
    processor,
    decodeImage: decodePng,
    ...options,
    generator,
    compileGrammar,
  });
}

/** Sends a chat completion, by default with a message of its own. */
export function post(body: object, chat = sample): Promise<Response> {
  const served = { id: "org/sample", created: 0, fingerprint: "fp_test", chat };
  const messages = [{ role: "user", content: "Hello" }];
  const init = { method: "POST", body: JSON.stringify({ messages, ...body }) };
  return createHandler({ model: () => served })(
    new Request("http://page.test/v1/chat/completions", init),
  );
}

/** What the model is asked for a body that is taken. */
export async function inputOf(body: object, chat = sample): Promise<GenerationInput> {
  const response = await post(body, chat);
  expect(response.status, await response.text()).toBe(200);
  return inputs().at(-1) ?? expect.fail("nothing was asked of the model");
}

export async function answerTo(body: object, chat = sample): Promise<ChatCompletion> {
  return (await (await post(body, chat)).json()) as ChatCompletion;
}

/** The error of a body that is refused. */
export async function errorOf(body: object, chat = sample): Promise<ErrorBody["error"]> {
  const response = await post(body, chat);
  expect(response.status).toBe(400);
  return ((await response.json()) as ErrorBody).error;
}
