import { expect, test } from "vitest";
import { ScriptedGenerator, decodePng, readCheckpoint } from "../../tests/chat-support.ts";
import { ConstrainedGenerator } from "../../tests/constrained-generator.ts";
import { chat } from "../chat/chat.ts";
import { chatModel } from "../chat/model.ts";
import type { TokenGenerator } from "../engine/generation.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import { lfm2VlProcessor } from "../models/lfm2-vl-processor.ts";
import { createHandler } from "./handler.ts";
import type { ChatCompletion } from "./wire.ts";

// LFM2-VL's published template does not write tools, so they are described and called as by Hermes.

const FILES = readCheckpoint("e2e/goldens/lfm2_vl");
const VOCABULARY = 480;
const EOS = 7;
const WEATHER = {
  type: "function" as const,
  function: {
    name: "get_weather",
    parameters: {
      type: "object",
      properties: { place: { enum: ["Oslo", "Rome"] } },
      required: ["place"],
      additionalProperties: false,
    },
  },
};
const CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"place": "Oslo"}}\n</tool_call>';
const BODY = { messages: [{ role: "user" as const, content: "Rain?" }], tools: [WEATHER] };

const modelOf = (generator: TokenGenerator) =>
  chatModel(FILES, {
    generator,
    processor: lfm2VlProcessor(FILES),
    decodeImage: decodePng,
    compileGrammar,
  });

const { tokenizer } = modelOf(new ScriptedGenerator());
const idsOf = (text: string) => [...tokenizer.encode(text, { addSpecialTokens: false }), EOS];

async function choiceOf(generator: TokenGenerator, body: object) {
  const model = { id: "lfm2", created: 0, fingerprint: "fp", chat: modelOf(generator) };
  const handle = createHandler({ model: () => model });
  const url = "http://page.test/v1/chat/completions";
  const response = await handle(new Request(url, { method: "POST", body: JSON.stringify(body) }));
  expect(response.status).toBe(200);
  return ((await response.json()) as ChatCompletion).choices[0];
}

test("tools are described, calls are read, and the next prompt contains both", async () => {
  const generator = new ScriptedGenerator(idsOf(`Let me see.\n${CALL}`));
  const choice = await choiceOf(generator, BODY);
  const prompt = tokenizer.decode(generator.inputs[0]?.ids ?? []);
  // Without special tokens.
  expect(prompt).toMatch(/^system\n# Tools\n/);
  expect(prompt).toContain('"name": "get_weather"');
  expect(prompt).toMatch(/<\/tool_call>\nuser\nRain\?\nassistant\n$/);
  expect(choice).toMatchObject({
    message: {
      content: "Let me see.",
      tool_calls: [{ function: { name: "get_weather", arguments: '{"place": "Oslo"}' } }],
    },
    finish_reason: "tool_calls",
  });

  const toolCalls = [{ id: "c", name: "get_weather", arguments: '{"place": "Oslo"}' }];
  const { prompt: next } = await chat(modelOf(generator), {
    messages: [
      { role: "user", content: "Rain?" },
      { role: "assistant", content: "", toolCalls },
      { role: "tool", content: "yes", toolCallId: "c" },
    ],
    tools: [WEATHER],
  });
  expect(next.text).toContain(
    `<|im_start|>assistant\n${CALL}<|im_end|>\n` +
      "<|im_start|>user\n<tool_response>\nyes\n</tool_response><|im_end|>\n",
  );
});

test("a required call is enforced, whatever the model prefers", async () => {
  const generator = new ConstrainedGenerator(VOCABULARY, idsOf("No."));
  const choice = await choiceOf(generator, { ...BODY, tool_choice: "required", max_tokens: 200 });
  expect(choice?.finish_reason).toBe("tool_calls");
  const [call] = choice?.message.tool_calls ?? [];
  expect(call).toMatchObject({ function: { name: "get_weather" } });
  expect(["Oslo", "Rome"]).toContain(
    (
      JSON.parse((call as { function: { arguments: string } }).function.arguments) as {
        place: string;
      }
    ).place,
  );
});

test("an answer with a schema matches it", async () => {
  const generator = new ConstrainedGenerator(VOCABULARY, idsOf("Sure!"));
  const schema = WEATHER.function.parameters;
  const choice = await choiceOf(generator, {
    messages: BODY.messages,
    max_tokens: 200,
    response_format: { type: "json_schema", json_schema: { name: "place", schema, strict: true } },
  });
  const { place } = JSON.parse(choice?.message.content ?? "") as { place: string };
  expect(["Oslo", "Rome"]).toContain(place);
});
