import { describe, expect, test } from "vitest";
import { ScriptedGenerator, readCheckpoint } from "../../tests/chat-support.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import type { CheckpointFiles } from "../models/model.ts";
import { paligemmaProcessor } from "../models/paligemma-processor.ts";
import type { ChatMessage, ContentPart } from "./messages.ts";
import { chatModel } from "./model.ts";
import { type PromptOptions, buildPrompt } from "./prompt.ts";
import { RequestError } from "./request-error.ts";

const { "chat_template.jinja": jinja, ...published } = readCheckpoint("e2e/goldens/paligemma");

function promptOf(
  messages: readonly ChatMessage[],
  files: CheckpointFiles = published,
  options?: PromptOptions,
) {
  const processor = paligemmaProcessor(files);
  const generator = new ScriptedGenerator();
  const decodeImage = () => Promise.reject(new Error("not asked for"));
  const model = chatModel(files, { generator, processor, decodeImage, compileGrammar });
  const decoded = { width: 64, height: 64, source: new Uint8Array() };
  const image = { decoded, layout: processor.layout(64, 64, "auto") };
  const parts = messages.flatMap(({ content }) => (typeof content === "string" ? [] : content));
  const images = parts.filter(({ type }) => type === "image_url").map(() => image);
  return { ...buildPrompt(model, messages, images, options), model };
}

const image: ContentPart = { type: "image_url", image_url: { url: "data:," } };
const text = (words: string): ContentPart => ({ type: "text", text: words });
const ROWS = "<image>".repeat(16);

describe("prompts of a checkpoint without a chat template", () => {
  test.each<[string, readonly ChatMessage[], string]>([
    ["an image", [{ role: "user", content: [image, text("Hi")] }], `${ROWS}<bos>Hi\n`],
    [
      "an image after its text",
      [{ role: "user", content: [text("Hi"), image] }],
      `${ROWS}<bos>Hi\n`,
    ],
    ["only an image", [{ role: "user", content: [image] }], `${ROWS}<bos>\n`],
    [
      "several messages",
      [
        { role: "system", content: "Be brief." },
        { role: "user", content: [text("a "), image, text("b")] },
        { role: "assistant", content: "c" },
        { role: "user", content: [image, text("d")] },
      ],
      `${ROWS}${ROWS}<bos>Be brief.\na b\nc\nd\n`,
    ],
  ])("%s", (_, messages, expected) => {
    const { text, ids, model, imageTokens } = promptOf(messages);
    expect(text).toBe(expected);
    const named = model.tokenizer.namedTokens["bos_token"] ?? expect.fail("no bos");
    const bos = model.tokenizer.id(named);
    expect(ids.filter((id) => id === bos)).toHaveLength(1);
    expect(ids.indexOf(bos as number)).toBe(imageTokens);
  });

  test("equal those of the reference's template", () => {
    const messages: ChatMessage[] = [
      { role: "user", content: [text("First "), image, text(" and "), image, text(".")] },
    ];
    const given = promptOf(messages, { ...published, "chat_template.jinja": jinja });
    expect(given.text).toBe(`${ROWS}${ROWS}<bos>First  and .\n`);
    expect(promptOf(messages).ids).toEqual(given.ids);
  });

  test("a continued answer is not followed by a line break", () => {
    const messages: ChatMessage[] = [
      { role: "user", content: [image, text("Hi")] },
      { role: "assistant", content: "A cat" },
    ];
    const options = { continueFinalMessage: true };
    expect(promptOf(messages, published, options).text).toBe(`${ROWS}<bos>Hi\nA cat`);
  });

  test("a placeholder in a message stays text", () => {
    const { imageTokens, text: written } = promptOf([
      { role: "user", content: [image, text("What is <image>?")] },
    ]);
    expect(imageTokens).toBe(16);
    expect(written).toBe(`${ROWS}<bos>What is <image>?\n`);
  });

  test("messages without an image are refused", () => {
    const refused = () => promptOf([{ role: "user", content: "Hi" }]);
    expect(refused).toThrow(RequestError);
    expect(refused).toThrow("this model needs an image, but the messages have none.");
  });
});
