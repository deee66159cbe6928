import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import {
  SAMPLE,
  ScriptedGenerator,
  type TextCase,
  dataUrl,
  decodePng,
  readBytes,
  readCheckpoint,
  readJson,
  scriptedModel,
} from "../../tests/chat-support.ts";
import { cutText } from "../../tests/cut-text.ts";
import { mllamaProcessor } from "../models/mllama-processor.ts";
import type { ImageLayout } from "../models/model.ts";
import { chatTemplate } from "../text/template.ts";
import { chat } from "./chat.ts";
import type { ChatMessage, ContentPart } from "./messages.ts";
import type { ChatModel } from "./model.ts";
import { buildPrompt } from "./prompt.ts";
import { RequestError } from "./request-error.ts";

const GOLDENS = "e2e/goldens";
const ORIGIN = "http://goldens.test";

interface GoldenImage {
  readonly file: string;
  readonly upright_width: number;
  readonly upright_height: number;
}

const IMAGES = readJson(`${GOLDENS}/images.json`) as readonly GoldenImage[];

/** The sizes of the goldens' images after orientation, by the size of their files in bytes. */
const SIZES = new Map(
  IMAGES.map(({ file, upright_width: width, upright_height: height }) => [
    readBytes(`${GOLDENS}/images/${file}`).length,
    { width, height },
  ]),
);

test("all image files of the goldens differ in size", () => {
  expect(SIZES.size).toBe(IMAGES.length);
});

/** A model that reads the image `/x/y.png` from `e2e/goldens/x/y.png`. */
function goldenModel(generator: ScriptedGenerator, checkpoint: string, images: string): ChatModel {
  return scriptedModel(
    generator,
    {
      baseUrl: `${ORIGIN}/${images}`,
      fetch: async (url) => new Response(readBytes(join(GOLDENS, new URL(url as string).pathname))),
      decodeImage: async (file) => {
        const size = SIZES.get(file.size);
        return size ? { ...size, source: new Uint8Array() } : decodePng(file);
      },
    },
    checkpoint,
  );
}

describe.each([
  ["sample", SAMPLE, "sample/"],
  ["smolvlm", `${GOLDENS}/smolvlm`, ""],
  ["smolvlm-tiles", `${GOLDENS}/smolvlm-tiles`, ""],
])("goldens of %s", (name, checkpoint, images) => {
  test.each(
    (readJson(`${GOLDENS}/${name}/cases.json`) as TextCase[]).map((golden, i) => ({
      label: golden.name ?? i,
      ...golden,
    })),
  )("$label", async (golden) => {
    const generator = new ScriptedGenerator(golden.output_ids);
    const model = goldenModel(generator, checkpoint, images);
    const maxTokens = golden.output_ids.length;
    const answer = await chat(model, { messages: golden.messages, maxTokens });
    // The sample's goldens have prompts with unexpanded images, and trimmed answers.
    if (name !== "sample") expect(answer.prompt.text).toBe(golden.prompt);
    expect(answer.prompt.ids).toEqual(golden.input_ids);

    let text = "";
    let finish;
    for await (const delta of answer.deltas) {
      text += delta.text;
      finish = delta.finish;
    }
    expect(name === "sample" ? text.trim() : text).toBe(cutText(golden, model.tokenizer));
    expect(finish?.reason).toBe(golden.finish_reason ?? "stop");
    expect(generator.inputs[0]).toMatchObject({ ids: golden.input_ids, maxTokens });
    expect(generator.inputs[0]?.sampling.temperature).toBe(0);
  });
});

describe("buildPrompt", () => {
  const model = scriptedModel(new ScriptedGenerator());
  const { imageTokenId } = model.processor;
  const layout: ImageLayout = model.processor.layout(64, 64, "auto");
  const decoded = { width: 64, height: 64, source: new Uint8Array() };
  const image: ContentPart = { type: "image_url", image_url: { url: "data:," } };
  const text = (words: string): ContentPart => ({ type: "text", text: words });
  const prompt = (content: ChatMessage["content"], images = 0) =>
    buildPrompt(model, [{ role: "user", content }], Array(images).fill({ decoded, layout }));
  const imageTokens = (ids: readonly number[]) => ids.filter((id) => id === imageTokenId).length;

  test.each<[string, ChatMessage["content"], number]>([
    ["in a string", "What does <image> mean?", 0],
    ["in a part", [text("<image><image> "), image, text("<image>")], 1],
    ["across two parts", [text("<ima"), text("ge> and "), image], 1],
    ["character by character", [..."<image>"].map(text), 0],
    ["around an image", [text("<ima"), image, text("ge>")], 1],
    ["between private-use characters", "\ue000<image>\ue001", 0],
  ])("a placeholder %s stays text", (_, content, images) => {
    const { ids, text: written, imageTokens: counted } = prompt(content, images);
    expect(imageTokens(ids)).toBe(images * layout.tokenCount);
    expect(counted).toBe(images * layout.tokenCount);
    const said = typeof content === "string" ? content : "<image>";
    expect(written).toContain(said);
    expect(model.tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(written);
  });

  test("images take the places of their parts", () => {
    const { text: written } = prompt([text("one"), image, text("two"), image], 2);
    expect(written).toContain(`one${layout.prompt}two${layout.prompt}<end_of_utterance>`);
  });

  test("a developer message becomes a system message", () => {
    const { text: written } = buildPrompt(model, [{ role: "developer", content: "Be brief" }], []);
    expect(written).toContain("System: Be brief");
  });

  test("a template that leaves out an image is refused", () => {
    expect(() => prompt([text("no image part")], 1)).toThrow(RequestError);
    expect(() => prompt([image], 0)).toThrow(/writes 1 of the 0 images/);
  });

  test("an error of the template is a RequestError", () => {
    const template = chatTemplate(
      { "chat_template.jinja": "{{ raise_exception('Roles must alternate') }}" },
      {},
    );
    const refused = () => buildPrompt({ ...model, template }, [{ role: "user", content: "" }], []);
    expect(refused).toThrow(RequestError);
    expect(refused).toThrow(/Roles must alternate/);
  });

  test.each<[string, string, ChatMessage["content"], string]>([
    [
      "lists only",
      "{% for p in messages[0].content %}{{ p['text'] }}{% endfor %}",
      "Hello",
      "Hello",
    ],
    ["strings only", "{{ messages[0].content }}", [text("Hello"), text("there")], "Hello\nthere"],
    [
      "strings only, with an image",
      "{{ messages[0].content }}",
      [image, text("there")],
      `${layout.prompt}\nthere`,
    ],
  ])("a template that supports %s", (_, jinja, content, expected) => {
    const template = chatTemplate({ "chat_template.jinja": jinja }, {});
    const images = expected.includes(layout.prompt) ? [{ decoded, layout }] : [];
    const built = buildPrompt({ ...model, template }, [{ role: "user", content }], images);
    expect(built.text).toBe(expected);
  });

  test("the tokenizer adds special tokens unless the template wrote them", () => {
    const encode = vi.spyOn(model.tokenizer, "encode");
    const written = (jinja: string) => {
      encode.mockClear();
      const template = chatTemplate({ "chat_template.jinja": jinja }, {});
      buildPrompt({ ...model, template }, [{ role: "user", content: "a <image>" }], []);
      return encode.mock.calls.map(([, { addSpecialTokens }]) => addSpecialTokens);
    };
    expect(written("{{ messages[0].content }}")).toEqual([true, false]);
    expect(written("<|im_start|>{{ messages[0].content }}")).toEqual([false, false]);
  });
});

describe("a model where an image is one token", () => {
  const folder = `${GOLDENS}/mllama`;
  const generator = new ScriptedGenerator();
  const processor = mllamaProcessor(readCheckpoint(folder));
  const model = scriptedModel(generator, { processor }, folder);
  const image: ContentPart = {
    type: "image_url",
    image_url: { url: dataUrl(`${GOLDENS}/images/large.png`) },
  };
  const text = (words: string): ContentPart => ({ type: "text", text: words });
  const ask = async (messages: readonly ChatMessage[]) => (await chat(model, { messages })).prompt;

  test("counts one token for each image of any size", async () => {
    const { ids, imageTokens } = await ask([{ role: "user", content: [image, text("a"), image] }]);
    expect(imageTokens).toBe(2);
    expect(ids.filter((id) => id === 439)).toHaveLength(2);
  });

  test("keeps the text of the token in a message as text", async () => {
    const content = [text("What is <|image|>?"), image, text("<|ima"), text("ge|>")];
    const { ids, imageTokens, text: written } = await ask([{ role: "user", content }]);
    expect(imageTokens).toBe(1);
    expect(ids.filter((id) => id === 439)).toHaveLength(1);
    expect(written).toContain("What is <|image|>?<|image|><|image|>");
  });

  test("moves a system message that the template refuses with images to the user", async () => {
    const messages: ChatMessage[] = [
      { role: "system", content: "Be brief." },
      { role: "user", content: [image, text("What is it?")] },
    ];
    const { text: written, imageTokens } = await ask(messages);
    expect(imageTokens).toBe(1);
    expect(written).toMatch(/user<\|end_header_id\|>\n\nBe brief\..*<\|image\|>What is it\?/s);
  });
});
