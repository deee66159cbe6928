import OpenAI from "openai";
import { beforeEach, describe, expect, test } from "vitest";
import { AnyGenerator } from "../../tests/any-generator.ts";
import { ScriptedGenerator, dataUrl } from "../../tests/chat-support.ts";
import { random } from "../../tests/seeded.ts";
import { toolModel } from "../../tests/tool-templates.ts";
import type { TokenGenerator } from "../engine/generation.ts";
import { createHandler } from "./handler.ts";
import type { ChatCompletion, ChatCompletionChunk, ErrorBody } from "./wire.ts";

const EOS = 1023;
const CIRCLE = dataUrl("e2e/goldens/sample/red-circle.png");
const RAIN = [{ role: "user" as const, content: "Does it rain in Oslo?" }];
const WEATHER = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "The weather at a place",
    parameters: {
      type: "object",
      properties: {
        place: { enum: ["Oslo", "Rome"] },
        days: { type: "integer", minimum: 1, maximum: 9 },
      },
      required: ["place", "days"],
      additionalProperties: false,
    },
  },
};
const CLOCK = { type: "function" as const, function: { name: "clock" } };
const ASK = { messages: RAIN, tools: [WEATHER, CLOCK] };
const ARGUMENTS = '{"place": "Oslo", "days": 2}';
const CALL = `<tool_call>\n{"name": "get_weather", "arguments": ${ARGUMENTS}}\n</tool_call>`;
const SECOND = '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>';

let generator: ScriptedGenerator;
beforeEach(() => {
  generator = new ScriptedGenerator();
});
const scripted: TokenGenerator = {
  get contextLength() {
    return generator.contextLength;
  },
  generate: (input) => generator.generate(input),
};

type Template = Parameters<typeof toolModel>[1];
function handlerOf(generator: TokenGenerator, template?: Template) {
  const served = {
    id: "org/sample",
    created: 0,
    fingerprint: "fp",
    chat: toolModel(generator, template),
  };
  return createHandler({ model: () => served });
}
const tokenizer = toolModel(scripted).tokenizer;
const idsOf = (text: string) => [...tokenizer.encode(text, { addSpecialTokens: false }), EOS];
const handlers = {
  sample: handlerOf(scripted),
  qwen: handlerOf(scripted, "qwen"),
  llama: handlerOf(scripted, "llama"),
  lfm2: handlerOf(scripted, "lfm2"),
};

const post = (body: object, handle = handlers.sample) =>
  handle(
    new Request("http://page.test/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );

/** The only choice of an answer with this text. */
async function choiceOf(body: object, text: string, handle = handlers.sample) {
  generator.ids = idsOf(text);
  const response = await post(body, handle);
  expect(response.status).toBe(200);
  return ((await response.json()) as ChatCompletion).choices[0] as ChatCompletion["choices"][0];
}

async function chunksOf(body: object, text: string, handle = handlers.sample) {
  generator.ids = idsOf(text);
  const events = (await (await post({ ...body, stream: true }, handle)).text())
    .trim()
    .split("\n\n");
  expect(events.pop()).toBe("data: [DONE]");
  return events.map((event) => JSON.parse(event.slice("data: ".length)) as ChatCompletionChunk);
}

const errorOf = async (body: object) => {
  const response = await post(body);
  expect(response.status).toBe(400);
  return ((await response.json()) as ErrorBody).error;
};

describe("an answer that calls tools", () => {
  test("has calls and no content", async () => {
    const choice = await choiceOf(ASK, `${CALL}\n${SECOND}`);
    expect(choice).toEqual({
      index: 0,
      message: {
        role: "assistant",
        content: null,
        refusal: null,
        reasoning_content: null,
        tool_calls: [
          {
            id: expect.stringMatching(/^call_[0-9a-f]{24}$/) as string,
            type: "function",
            index: 0,
            function: { name: "get_weather", arguments: ARGUMENTS },
          },
          {
            id: expect.stringMatching(/^call_[0-9a-f]{24}$/) as string,
            type: "function",
            index: 1,
            function: { name: "clock", arguments: "{}" },
          },
        ],
      },
      logprobs: null,
      finish_reason: "tool_calls",
      matched_stop: EOS,
    });
  });

  test.each([
    ["llama", '{"name": "get_weather", "parameters": {"place": "Oslo"}}', '{"place": "Oslo"}'],
    [
      "lfm2",
      "<|tool_call_start|>[get_weather(place='Oslo')]<|tool_call_end|>",
      '{"place": "Oslo"}',
    ],
    ["qwen", CALL, ARGUMENTS],
  ] as const)("reads the format of %s", async (template, text, json) => {
    const { message } = await choiceOf(ASK, text, handlers[template]);
    expect(message.tool_calls?.map((call) => call.function)).toEqual([
      { name: "get_weather", arguments: json },
    ]);
    expect(message.content).toBeNull();
  });

  test("may have text too", async () => {
    const { message } = await choiceOf(ASK, `Let me see.\n${CALL}`);
    expect(message.content).toBe("Let me see.");
    expect(message.tool_calls).toHaveLength(1);
  });

  test("may have no calls", async () => {
    const { message, finish_reason } = await choiceOf(ASK, "It rains.");
    expect(message).not.toHaveProperty("tool_calls");
    expect([message.content, finish_reason]).toEqual(["It rains.", "stop"]);
  });

  test.each([
    ["of an unknown tool", '<tool_call>\n{"name": "rm", "arguments": {}}\n</tool_call>'],
    ["that is not JSON", '<tool_call>\n{"name": "clock", "arguments": {a}}\n</tool_call>'],
  ])("keeps a call %s in its content", async (_, text) => {
    const { message, finish_reason } = await choiceOf(ASK, text);
    expect([message.content, finish_reason]).toEqual([text, "stop"]);
  });

  test("keeps calls in its content without tools and with tool_choice none", async () => {
    for (const body of [
      { messages: RAIN },
      { ...ASK, tools: [] },
      { ...ASK, tool_choice: "none" },
    ]) {
      const { message, finish_reason } = await choiceOf(body, CALL);
      expect([message.content, finish_reason]).toEqual([CALL, "stop"]);
    }
  });

  test("ends after the first call without parallel_tool_calls", async () => {
    const { message, finish_reason, matched_stop } = await choiceOf(
      { ...ASK, parallel_tool_calls: false },
      `${CALL}\n${SECOND}`,
    );
    expect(message.tool_calls).toHaveLength(1);
    expect([finish_reason, matched_stop]).toEqual(["tool_calls", null]);
    expect(generator.given).toBeLessThan(generator.ids.length);
  });

  test("has only complete calls if it is cut off, but streams every piece", async () => {
    const max_tokens = idsOf(CALL.slice(0, CALL.indexOf(', "days'))).length - 1;
    const body = { ...ASK, max_tokens };
    const { message, finish_reason } = await choiceOf(body, CALL);
    expect(message).not.toHaveProperty("tool_calls");
    expect(CALL.startsWith(message.content as string)).toBe(true);
    expect(finish_reason).toBe("length");
    const chunks = await chunksOf(body, CALL);
    const choices = chunks.flatMap(({ choices }) => choices);
    const json = choices
      .map(({ delta }) => delta.tool_calls?.[0]?.function.arguments ?? "")
      .join("");
    expect(json).not.toBe("");
    expect(ARGUMENTS.startsWith(json)).toBe(true);
    expect(choices.at(-1)?.finish_reason).toBe("length");
  });

  test("still has token ids and logprobs", async () => {
    const ids = idsOf(CALL);
    const body = { ...ASK, logprobs: true, return_token_ids: true };
    const choice = await choiceOf(body, CALL);
    expect(choice.token_ids).toEqual(ids);
    expect(choice.logprobs?.content).toHaveLength(ids.length - 1);
    const chunks = (await chunksOf(body, CALL)).flatMap(({ choices }) => choices);
    expect(chunks.flatMap(({ token_ids }) => token_ids ?? [])).toEqual(ids);
    expect(chunks.flatMap(({ logprobs }) => logprobs?.content ?? [])).toHaveLength(ids.length - 1);
  });

  test("is streamed piece by piece, the name first", async () => {
    const chunks = await chunksOf(ASK, `Well.\n${CALL}\n${SECOND}`);
    const deltas = chunks.map(({ choices }) => choices[0]?.delta);
    expect(deltas[0]).toEqual({ role: "assistant", content: "" });
    expect(deltas.map((delta) => delta?.content ?? "").join("")).toBe("Well.");
    const calls = deltas.flatMap((delta) => delta?.tool_calls ?? []);
    const begun = calls.filter(({ id }) => id !== undefined);
    expect(begun).toEqual(
      ["get_weather", "clock"].map((name, index) => ({
        index,
        id: expect.stringMatching(/^call_[0-9a-f]{24}$/) as string,
        type: "function",
        function: { name, arguments: "" },
      })),
    );
    const more = calls.filter(({ id }) => id === undefined);
    expect(more.length).toBeGreaterThan(5);
    for (const call of more) {
      expect(Object.keys(call)).toEqual(["index", "function"]);
      expect(Object.keys(call.function)).toEqual(["arguments"]);
    }
    const jsons = [0, 1].map((index) =>
      more.map((call) => (call.index === index ? call.function.arguments : "")).join(""),
    );
    expect(jsons).toEqual([ARGUMENTS, "{}"]);
    expect(chunks.at(-1)?.choices[0]).toMatchObject({ delta: {}, finish_reason: "tool_calls" });
  });
});

describe("enforced calls", () => {
  const strict = { ...WEATHER, function: { ...WEATHER.function, strict: true } };
  const any = new AnyGenerator(random(7));
  const anyHandlers = {
    sample: handlerOf(any),
    qwen: handlerOf(any, "qwen"),
    llama: handlerOf(any, "llama"),
    lfm2: handlerOf(any, "lfm2"),
  };
  const forced = async (body: object, name: keyof typeof anyHandlers = "sample") => {
    const response = await post({ ...ASK, max_tokens: 1500, ...body }, anyHandlers[name]);
    expect(response.status).toBe(200);
    return ((await response.json()) as ChatCompletion).choices[0] as ChatCompletion["choices"][0];
  };
  const isWeather = ({ place, days }: { place: string; days: number }) =>
    ["Oslo", "Rome"].includes(place) && [1, 2, 3, 4, 5, 6, 7, 8, 9].includes(days);

  test.each(["sample", "qwen", "llama", "lfm2"] as const)(
    "have the chosen name, in the format of %s",
    async (name) => {
      for (let round = 0; round < 5; round++) {
        const { message, finish_reason } = await forced(
          { tool_choice: { type: "function", function: { name: "get_weather" } } },
          name,
        );
        const [call, ...others] = message.tool_calls ?? [];
        expect(call?.function.name).toBe("get_weather");
        expect(isWeather(JSON.parse(call?.function.arguments ?? "") as never)).toBe(true);
        expect(others).toEqual([]);
        expect(message.content).toBeNull();
        expect(finish_reason).toBe("tool_calls");
      }
    },
  );

  test("may be several without a name", async () => {
    const counts = new Set<number | undefined>();
    for (let round = 0; round < 8; round++) {
      const { message } = await forced({ tool_choice: "required" });
      for (const { function: called } of message.tool_calls ?? []) {
        const values = JSON.parse(called.arguments) as object;
        expect(
          called.name === "clock" ? Object.keys(values).length === 0 : isWeather(values as never),
        ).toBe(true);
      }
      expect(message.content).toBeNull();
      counts.add(message.tool_calls?.length);
    }
    expect(counts).not.toContain(undefined);
    expect(counts.size).toBeGreaterThan(1);
    for (let round = 0; round < 5; round++) {
      const { message } = await forced({ tool_choice: "required", parallel_tool_calls: false });
      expect(message.tool_calls).toHaveLength(1);
    }
  });

  test("are limited to allowed tools", async () => {
    const tools = [{ type: "function", function: { name: "clock" } }];
    const tool_choice = { type: "allowed_tools", allowed_tools: { mode: "required", tools } };
    for (let round = 0; round < 5; round++) {
      const { message } = await forced({ tool_choice });
      const names = message.tool_calls?.map(({ function: called }) => called.name);
      expect(new Set(names)).toEqual(new Set(["clock"]));
    }
  });

  test("leave other answers free, unless tools are strict", async () => {
    await choiceOf(ASK, "It rains.");
    await choiceOf({ ...ASK, tools: [strict, CLOCK] }, "It rains.");
    expect(generator.inputs.map(({ constraint }) => constraint !== undefined)).toEqual([
      false,
      true,
    ]);
    const words = new Uint32Array(32);
    const constraint = generator.inputs[1]?.constraint;
    const allows = async (text: string) => {
      for (const id of tokenizer.encode(text, { addSpecialTokens: false })) {
        words.fill(0);
        await constraint?.mask(words);
        if ((((words[id >>> 5] as number) >>> (id & 31)) & 1) === 0) return false;
        constraint?.accept(id);
      }
      return true;
    };
    expect(
      await allows(
        `It {rains}. ${SECOND} ${CALL} <tool_call>\n{"name": "get_weather", "arguments": `,
      ),
    ).toBe(true);
    expect(await allows('{"places')).toBe(false);
  });

  test("can be combined with a format", async () => {
    const response_format = {
      type: "json_schema",
      json_schema: { name: "yes", schema: { enum: [true, false] } },
    };
    const seen = new Set<string>();
    for (let round = 0; round < 20; round++) {
      const { message } = await forced({
        response_format,
        tools: [strict],
        parallel_tool_calls: false,
      });
      if (message.tool_calls) expect(message.content).toBeNull();
      else expect(["true", "false"]).toContain(message.content);
      seen.add(message.tool_calls ? "call" : "content");
    }
    expect([...seen].sort()).toEqual(["call", "content"]);
  });
});

describe("calls in a conversation", () => {
  const messages = [
    { role: "user", content: "Look" },
    {
      role: "assistant",
      reasoning_content: "Hm",
      tool_calls: [
        { id: "call_1", type: "function", function: { name: "clock", arguments: "{ }" } },
      ],
    },
    {
      role: "tool",
      tool_call_id: "call_1",
      content: [
        { type: "text", text: "here" },
        { type: "image_url", image_url: { url: CIRCLE } },
      ],
    },
  ];

  test("are in the prompt, with images", async () => {
    await choiceOf({ messages, tools: [CLOCK] }, "A red circle.", handlers.qwen);
    const [input] = generator.inputs;
    expect(input?.images).toHaveLength(1);
    const written = tokenizer.decode(input?.ids ?? [], { skipSpecialTokens: false });
    expect(written).toContain("<think>\nHm\n</think>");
    expect(written).toContain('<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>');
    expect(written).toMatch(/<tool_response>\nhere.*<image>.*\n<\/tool_response>/);
  });

  test("come with an effort", async () => {
    const body = { messages: RAIN };
    const written = async (more: object) => {
      await choiceOf({ ...body, ...more }, "Yes", handlers.qwen);
      return tokenizer.decode(generator.inputs.at(-1)?.ids ?? [], { skipSpecialTokens: false });
    };
    expect(await written({ reasoning_effort: "none" })).toMatch(/<think>\n\n<\/think>\n\n$/);
    expect(await written({ reasoning_effort: 0 })).toMatch(/<think>\n\n<\/think>\n\n$/);
    expect(await written({ reasoning_effort: "max" })).toMatch(/assistant\n<think>\n$/);
    expect(await written({ reasoning_effort: 0.5 })).toMatch(/assistant\n$/);
    const chat_template_kwargs = { enable_thinking: true };
    expect(await written({ reasoning_effort: "none", chat_template_kwargs })).toMatch(
      /assistant\n$/,
    );
  });
});

describe("reasoning", () => {
  const ask = { messages: RAIN };
  const text = "<think>\nIt may rain.\n</think>\n\nYes.";

  test("is separated if the model supports it", async () => {
    const { message } = await choiceOf(ask, text, handlers.qwen);
    expect(message).toMatchObject({ content: "Yes.", reasoning_content: "It may rain." });
    const { message: unknown } = await choiceOf(ask, text);
    expect(unknown).toMatchObject({ content: text, reasoning_content: null });
  });

  test("is separated as the request asks", async () => {
    const { message } = await choiceOf({ ...ask, separate_reasoning: true }, text);
    expect(message).toMatchObject({ content: "Yes.", reasoning_content: "It may rain." });
    const kept = { ...ask, separate_reasoning: false };
    const { message: whole } = await choiceOf(kept, text, handlers.qwen);
    expect(whole).toMatchObject({ content: text, reasoning_content: null });
  });

  test("continues if the prompt began it", async () => {
    const body = { ...ask, reasoning_effort: "max" };
    const { message } = await choiceOf(body, "It may.</think>Yes.", handlers.qwen);
    expect(message).toMatchObject({ content: "Yes.", reasoning_content: "It may." });
  });

  test("is streamed before the content, then calls", async () => {
    const body = { ...ASK, stream_options: { include_usage: true } };
    const chunks = await chunksOf(body, `${text}\n${CALL}`, handlers.qwen);
    const kinds = chunks.flatMap(({ choices }) => Object.keys(choices[0]?.delta ?? {}));
    const order = kinds.slice(2).filter((kind, i, all) => kind !== all[i - 1]);
    expect(order).toEqual(["reasoning_content", "content", "tool_calls"]);
    const deltas = chunks.map(({ choices }) => choices[0]?.delta);
    expect(deltas.map((delta) => delta?.reasoning_content ?? "").join("")).toBe("It may rain.");
    expect(deltas.map((delta) => delta?.content ?? "").join("")).toBe("Yes.");
    const span = tokenizer.encode("<think>\nIt may rain.\n</think>", { addSpecialTokens: false });
    const counted = chunks.at(-1)?.usage?.reasoning_tokens as number;
    // The opening tag counts once it is complete. It is several tokens here, one in real vocabularies.
    const mark = tokenizer.encode("<think>", { addSpecialTokens: false });
    expect(span.length - counted).toBe(mark.length - 1);
    expect(chunks.at(-1)?.usage?.completion_tokens_details.reasoning_tokens).toBe(counted);
  });

  test("may contain calls, which are ignored", async () => {
    const { message } = await choiceOf(ASK, `<think>${CALL}</think>No.`, handlers.qwen);
    expect(message).toMatchObject({ content: "No.", reasoning_content: CALL });
    expect(message).not.toHaveProperty("tool_calls");
  });

  test("ends at a stop string", async () => {
    const { message, finish_reason } = await choiceOf({ ...ask, stop: "may" }, text, handlers.qwen);
    expect(message).toMatchObject({ content: "", reasoning_content: "It " });
    expect(finish_reason).toBe("stop");
  });

  test("is counted up to its last token", async () => {
    const body = { ...ask, reasoning_effort: "max", stop: "may" };
    generator.ids = idsOf("It may rain.");
    const response = await post(body, handlers.qwen);
    const { usage } = (await response.json()) as ChatCompletion;
    expect(usage.reasoning_tokens).toBe(usage.completion_tokens);
    expect(usage.reasoning_tokens).toBeGreaterThan(1);
  });

  test("continues if the continued message began it, and not if that ended it", async () => {
    const continued = (content: string) => ({
      messages: [...RAIN, { role: "assistant", content }],
      continue_final_message: true,
    });
    const begun = await choiceOf(continued("<think>It may r"), "ain.</think>Yes.", handlers.qwen);
    expect(begun.message).toMatchObject({ content: "Yes.", reasoning_content: "ain." });
    const past = await choiceOf(continued("<think>Hm</think>I"), "<think>", handlers.qwen);
    expect(past.message).toMatchObject({ content: "<think>", reasoning_content: null });
  });

  test("precedes an enforced call", async () => {
    const body = { ...ASK, tool_choice: "required", reasoning_effort: "max" };
    await choiceOf(body, `Hm.</think>\n${CALL}`, handlers.qwen);
    const constraint = generator.inputs[0]?.constraint;
    const words = new Uint32Array(32);
    const allowed = (id: number) => (((words[id >>> 5] as number) >>> (id & 31)) & 1) === 1;
    const [mark, text] = ["<", "A"].map((text) => idsOf(text)[0] as number) as [number, number];
    await constraint?.mask(words);
    expect([allowed(mark), allowed(text)]).toEqual([true, true]);
    for (const id of generator.inputs[0]?.stopTokenIds ?? []) expect(allowed(id)).toBe(false);
    for (const id of tokenizer.encode("Hm.</think>", { addSpecialTokens: false }))
      constraint?.accept(id);
    expect(await constraint?.mask(words)).toBe(true);
    expect([allowed(mark), allowed(text)]).toEqual([true, false]);
  });
});

describe("a request is refused for", () => {
  const named = (name: string) => ({ type: "function", function: { name } });
  const call = (json: string) => ({
    role: "assistant",
    tool_calls: [{ id: "call_1", type: "function", function: { name: "f", arguments: json } }],
  });
  test.each<[string, object, string, string, RegExp]>([
    [
      "a tool of another type",
      { tools: [{ type: "custom", custom: {} }] },
      "invalid_value",
      "tools[0].type",
      /'function'/,
    ],
    [
      "a tool without a name",
      { tools: [{ type: "function", function: {} }] },
      "missing_required_parameter",
      "tools[0].function.name",
      /Missing/,
    ],
    [
      "an invalid name",
      { tools: [named("a b")] },
      "invalid_value",
      "tools[0].function.name",
      /1 to 64 letters/,
    ],
    [
      "a long name",
      { tools: [named("a".repeat(65))] },
      "invalid_value",
      "tools[0].function.name",
      /1 to 64 letters/,
    ],
    [
      "a duplicate name",
      { tools: [named("a"), named("b"), named("a")] },
      "invalid_value",
      "tools[2].function.name",
      /a unique name/,
    ],
    [
      "parameters that are a list",
      { tools: [{ type: "function", function: { name: "a", parameters: [] } }] },
      "invalid_type",
      "tools[0].function.parameters",
      /expected object/,
    ],
    [
      "parameters that are not an object",
      { tools: [{ type: "function", function: { name: "a", parameters: { type: "string" } } }] },
      "invalid_value",
      "tools[0].function.parameters",
      /'object'/,
    ],
    [
      "an invalid schema",
      {
        tools: [
          {
            type: "function",
            function: {
              name: "a",
              parameters: { type: "object", properties: { b: { type: "sting" } } },
            },
          },
        ],
        tool_choice: "required",
      },
      "invalid_value",
      "tools",
      /'type' at \/properties\/b/,
    ],
    [
      "an unknown choice",
      { ...ASK, tool_choice: "any" },
      "invalid_value",
      "tool_choice",
      /'none', 'auto', 'required'/,
    ],
    [
      "a choice of an unknown type",
      { ...ASK, tool_choice: { type: "custom" } },
      "invalid_value",
      "tool_choice.type",
      /'allowed_tools'/,
    ],
    [
      "a choice without a function",
      { ...ASK, tool_choice: { type: "function", name: "clock" } },
      "missing_required_parameter",
      "tool_choice.function",
      /Missing/,
    ],
    [
      "a choice that is a number",
      { ...ASK, tool_choice: 1 },
      "invalid_value",
      "tool_choice",
      /\'required\'/,
    ],
    [
      "a required call without tools",
      { tool_choice: "required" },
      "invalid_value",
      "tool_choice",
      /a tool is required, but 'tools' has none/,
    ],
    [
      "a chosen name without tools",
      { tool_choice: named("f") },
      "invalid_value",
      "tool_choice",
      /a tool is required, but 'tools' has none/,
    ],
    [
      "an unknown name",
      { ...ASK, tool_choice: named("x") },
      "invalid_value",
      "tool_choice",
      /^Invalid value for 'tool_choice': 'tools' has no function named 'x'\.$/,
    ],
    [
      "an unknown allowed tool",
      {
        ...ASK,
        tool_choice: {
          type: "allowed_tools",
          allowed_tools: { mode: "auto", tools: [named("x")] },
        },
      },
      "invalid_value",
      "tool_choice",
      /^Invalid value for 'tool_choice': 'tools' has no function named 'x'\.$/,
    ],
    [
      "arguments that are not JSON",
      { messages: [call("{")] },
      "invalid_value",
      "messages[0].tool_calls[0].function.arguments",
      /JSON of an object/,
    ],
    [
      "arguments that are a list",
      { messages: [call("[]")] },
      "invalid_value",
      "messages[0].tool_calls[0].function.arguments",
      /JSON of an object/,
    ],
    [
      "a call without a function",
      { messages: [{ role: "assistant", tool_calls: [{ type: "function" }] }] },
      "missing_required_parameter",
      "messages[0].tool_calls[0].function",
      /Missing/,
    ],
    [
      "an unknown effort",
      { reasoning_effort: "huge" },
      "invalid_value",
      "reasoning_effort",
      /'minimal'/,
    ],
    [
      "an effort out of range",
      { reasoning_effort: 1 },
      "invalid_value",
      "reasoning_effort",
      /0 to 0.99/,
    ],
    [
      "continuing a message with calls",
      { messages: [...RAIN, call("{}")], continue_final_message: true },
      "invalid_value",
      "continue_final_message",
      /no tool calls, but it has some/,
    ],
  ])("%s", async (_, body, code, param, message) => {
    const error = await errorOf({ messages: RAIN, ...body });
    expect(error).toMatchObject({ type: "invalid_request_error", code, param });
    expect(error.message).toMatch(message);
    expect(generator.inputs).toEqual([]);
  });
});

describe("OpenAI's own client", () => {
  const client = new OpenAI({
    apiKey: "none",
    baseURL: "http://local.test/v1",
    fetch: (url, init) => handlers.qwen(new Request(url, init)),
  });

  test("reads a stream of calls", async () => {
    generator.ids = idsOf(`<think>Hm</think>Well. ${CALL}\n${SECOND}`);
    const stream = client.chat.completions.stream({ model: "default", ...ASK });
    const jsons: string[] = [];
    stream.on("tool_calls.function.arguments.done", ({ name, arguments: json }) =>
      jsons.push(`${name} ${json}`),
    );
    const { choices } = await stream.finalChatCompletion();
    expect(choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: {
        content: "Well.",
        tool_calls: [{ type: "function" }, { function: { arguments: "{}" } }],
      },
    });
    expect(jsons).toEqual([`get_weather ${ARGUMENTS}`, "clock {}"]);
  });

  test.each([false, true])("runs tools in a loop, streamed: %s", async (stream) => {
    const answers = [CALL, "It rains for 2 days."];
    const called: unknown[] = [];
    const getWeather = {
      type: "function" as const,
      function: {
        ...WEATHER.function,
        parse: JSON.parse as (text: string) => object,
        function: (values: object) => {
          called.push(values);
          return "rain";
        },
      },
    };
    const loop = new OpenAI({
      apiKey: "none",
      baseURL: "http://local.test/v1",
      fetch: (url, init) => {
        generator.ids = idsOf(answers.shift() as string);
        return handlers.qwen(new Request(url, init));
      },
    }).chat.completions;
    const body = { model: "default", messages: RAIN, tools: [getWeather] };
    const runner = stream ? loop.runTools({ ...body, stream }) : loop.runTools(body);
    expect(await runner.finalContent()).toBe("It rains for 2 days.");
    expect(called).toEqual([{ place: "Oslo", days: 2 }]);
    const last = tokenizer.decode(generator.inputs.at(-1)?.ids ?? [], { skipSpecialTokens: false });
    expect(last).toContain(
      `${CALL}<|im_end|>\n<|im_start|>user\n<tool_response>\nrain\n</tool_response>`,
    );
  });
});
