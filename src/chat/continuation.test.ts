import { describe, expect, test } from "vitest";
import { ScriptedGenerator, readCheckpoint, scriptedModel } from "../../tests/chat-support.ts";
import type { PreparedImage } from "../engine/generation.ts";
import { chatTemplate } from "../text/template.ts";
import type { ChatMessage, ContentPart } from "./messages.ts";
import { buildPrompt } from "./prompt.ts";
import { RequestError } from "./request-error.ts";

const model = scriptedModel(new ScriptedGenerator());
const HELLO: ChatMessage = { role: "user", content: "Hello" };
const text = (words: string): ContentPart => ({ type: "text", text: words });
const image: ContentPart = { type: "image_url", image_url: { url: "data:," } };

const layout = model.processor.layout(64, 64, "auto");
const decoded = { width: 64, height: 64, source: new Uint8Array() };

const continued = (messages: ChatMessage[], jinja?: string, images: PreparedImage[] = []) =>
  buildPrompt(
    jinja ? { ...model, template: chatTemplate({ "chat_template.jinja": jinja }, {}) } : model,
    messages,
    images,
    { continueFinalMessage: true },
  );
const saying = (content: ChatMessage["content"]) =>
  continued([HELLO, { role: "assistant", content }]);

describe("continuing the final message", () => {
  test("ends the prompt directly after its text, without a generation prompt", () => {
    const { text: written, ids } = saying("Hi, I am");
    const asked = buildPrompt(model, [HELLO], []).text;
    expect(written).toBe(`${asked} Hi, I am`);
    expect(model.tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(written);
  });

  test.each([
    ["smolvlm", " "],
    ["qwen2_vl", ""],
    ["qwen2_5_vl", ""],
    ["qwen3_vl", ""],
  ])("works with the template of %s", (name, gap) => {
    const template = chatTemplate(readCheckpoint(`e2e/goldens/${name}`), {});
    const published = { ...model, template };
    const parts: ChatMessage = { role: "assistant", content: [text("Hi, I "), text("am ")] };
    for (const last of [parts, { ...parts, content: "Hi, I am " }]) {
      const asked = buildPrompt(published, [HELLO], []).text;
      const { text: written } = buildPrompt(published, [HELLO, last], [], {
        continueFinalMessage: true,
      });
      expect(written).toBe(`${asked}${gap}Hi, I am `);
    }
  });

  test("keeps its trailing spaces", () => {
    expect(saying("Hi, I am  \n").text).toMatch(/Hi, I am {2}\n$/);
  });

  test("works if the prompt contains the text twice", () => {
    const messages: ChatMessage[] = [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hi" },
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hi" },
    ];
    expect(continued(messages).text).toBe(
      `${buildPrompt(model, messages.slice(0, 3), []).text} Hi`,
    );
  });

  test("continues an empty text, and a text with special characters", () => {
    expect(saying("").text).toMatch(/Assistant: $/);
    expect(saying("What <image> means").text).toMatch(/What <image> means$/);
  });

  test("continues the last of its text parts", () => {
    const after = { role: "assistant" as const, content: [text("one"), image, text("two")] };
    const { text: written } = continued([HELLO, after], undefined, [{ decoded, layout }]);
    expect(written.endsWith(`one${layout.prompt}two`)).toBe(true);
  });

  test("renders without a generation prompt, whatever the request's variables are", () => {
    const jinja = "{% if add_generation_prompt %}>{% endif %}{{ messages[-1].content }}";
    const template = chatTemplate({ "chat_template.jinja": jinja }, {});
    const options = {
      continueFinalMessage: true,
      templateVariables: { add_generation_prompt: true },
    };
    const messages: ChatMessage[] = [{ role: "assistant", content: "Hi" }];
    expect(buildPrompt({ ...model, template }, messages, [], options).text).toBe("Hi");
  });

  test("trims if the template trims", () => {
    const jinja =
      "{% for m in messages %}[{{ m.content | trim }}]{% endfor %}{% if add_generation_prompt %}>{% endif %}";
    const messages: ChatMessage[] = [HELLO, { role: "assistant", content: "Hi there " }];
    expect(continued(messages, jinja).text).toBe("[Hello][Hi there");
  });

  test.each<[string, ChatMessage[], string | undefined, RegExp]>([
    [
      "a message from the user",
      [HELLO],
      undefined,
      /expected the last message to be from the assistant/,
    ],
    ["no text", [HELLO, { role: "assistant", content: [] }], undefined, /to have text/],
    [
      "a message that the template leaves out",
      [HELLO, { role: "assistant", content: "Hi" }],
      "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}",
      /template to write the last message/,
    ],
  ])("refuses %s", (_, messages, jinja, message) => {
    const refused = () => continued(messages, jinja);
    expect(refused).toThrow(RequestError);
    expect(refused).toThrow(message);
    expect(refused).toThrow(
      expect.objectContaining({ code: "invalid_value", subject: "continueFinalMessage" }),
    );
  });
});
