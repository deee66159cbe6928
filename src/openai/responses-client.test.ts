import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { ScriptedGenerator, dataUrl, scriptedModel } from "../../tests/chat-support.ts";
import { DeviceLostError } from "../platform/device-error.ts";
import { type ServedModel, createHandler } from "./handler.ts";
import type {
  FunctionTool,
  Item,
  ItemList,
  ResponseEvent,
  ResponseObject,
  ToolChoice,
} from "./responses-wire.ts";

const EOS = 1023;

let generator: ScriptedGenerator;
let client: OpenAI;
let requests: number;
let served: ServedModel;
const chat = scriptedModel({
  contextLength: 2048,
  generate: (input) => generator.generate(input),
});
const idsOf = (text: string) => chat.tokenizer.encode(text, { addSpecialTokens: false });
const promptOf = (i: number) => chat.tokenizer.decode(generator.inputs[i]?.ids ?? []);
const say = (text: string) => (generator.ids = [...idsOf(text), EOS]);

beforeEach(() => {
  generator = new ScriptedGenerator();
  say("A red circle.");
  requests = 0;
  served = { id: "org/sample", created: 0, fingerprint: "fp_test", chat };
  const handle = createHandler({ model: () => served });
  client = new OpenAI({
    apiKey: "none",
    baseURL: "http://page.test/v1",
    fetch: (url, init) => {
      requests++;
      return handle(new Request(url, init));
    },
  });
});

const model = "org/sample";
const input: OpenAI.Responses.ResponseInput = [
  {
    role: "user",
    content: [
      { type: "input_text", text: "What is in this image?" },
      {
        type: "input_image",
        image_url: dataUrl("e2e/goldens/sample/red-circle.png"),
        detail: "auto",
      },
    ],
  },
];

describe("OpenAI's own client", () => {
  test("reads a response, and continues from it", async () => {
    const first = await client.responses.create({ model, input });
    expect(first.output_text).toBe("A red circle.");
    say("It is red.");
    const second = await client.responses.create({
      model,
      input: "And its colour?",
      previous_response_id: first.id,
    });
    expect(second.output_text).toBe("It is red.");
    expect(generator.inputs[1]?.images).toHaveLength(1);
    // Its output can also be sent back unchanged.
    await client.responses.create({
      model,
      input: [
        ...input,
        ...(first.output as OpenAI.Responses.ResponseInput),
        { role: "user", content: "And its colour?" },
      ],
    });
    expect(generator.inputs[2]?.ids).toEqual(generator.inputs[1]?.ids);
  });

  test("reads a stream", async () => {
    const stream = client.responses.stream({ model, input });
    let text = "";
    const types: string[] = [];
    stream.on("response.output_text.delta", ({ delta, snapshot }) => {
      text += delta;
      expect(snapshot).toBe(text);
    });
    stream.on("event", ({ type }) => types.push(type));
    const final = await stream.finalResponse();
    expect(text).toBe("A red circle.");
    expect(final).toMatchObject({ status: "completed", output_text: "A red circle." });
    expect(types.at(-1)).toBe("response.completed");
    expect(await client.responses.retrieve(final.id)).toMatchObject({
      id: final.id,
      output_text: "A red circle.",
    });
  });

  test("reads all events of a stream", async () => {
    const stream = await client.responses.create({ model, input, stream: true });
    const types: string[] = [];
    for await (const { type } of stream) types.push(type);
    expect(types[0]).toBe("response.created");
    expect(types.at(-1)).toBe("response.completed");
  });

  test("parses structured answers", async () => {
    say('{"shape":"circle","colour":"red"}');
    const Answer = z.object({ shape: z.string(), colour: z.string() });
    const text = { format: zodTextFormat(Answer, "answer") };
    const parsed = await client.responses.parse({ model, input, text });
    expect(parsed.output_parsed).toEqual({ shape: "circle", colour: "red" });
    const final = await client.responses.stream({ model, input, text }).finalResponse();
    expect(final.output_parsed).toEqual({ shape: "circle", colour: "red" });
    // An answer that was cut off is not JSON and is not parsed.
    const cut = await client.responses.parse({ model, input, text, max_output_tokens: 3 });
    expect(cut).toMatchObject({ status: "incomplete", output_parsed: null });
  });

  test("calls functions, and continues with their outputs", async () => {
    const tools: OpenAI.Responses.FunctionTool[] = [
      {
        type: "function",
        name: "zoom",
        description: "Looks closer",
        parameters: { type: "object", properties: { x: { type: "integer" } } },
        strict: true,
      },
    ];
    say('Closer!<tool_call>\n{"name": "zoom", "arguments": {"x": 1}}\n</tool_call>');
    const first = await client.responses.parse({ model, input, tools });
    expect(promptOf(0)).toContain("Looks closer");
    expect(first).toMatchObject({ status: "completed", output_text: "Closer!" });
    const call = first.output[1];
    if (call?.type !== "function_call") throw new Error("no call");
    expect(call).toMatchObject({ name: "zoom", arguments: '{"x": 1}', parsed_arguments: { x: 1 } });
    expect(call.id).not.toBe(call.call_id);

    say("It is a circle.");
    const output = {
      type: "function_call_output" as const,
      call_id: call.call_id,
      output: "round",
    };
    const { id: previous_response_id } = first;
    const second = await client.responses.create({
      model,
      input: [output],
      tools,
      previous_response_id,
    });
    expect(second.output_text).toBe("It is a circle.");
    expect(promptOf(1)).toMatch(/Closer!.*"zoom".*round/s);
    expect(generator.inputs[1]?.images).toHaveLength(1);
    // The same without stored items.
    await client.responses.create({
      model,
      input: [...input, ...(first.output as OpenAI.Responses.ResponseInput), output],
      tools,
    });
    expect(generator.inputs[2]?.ids).toEqual(generator.inputs[1]?.ids);
  });

  test("reads a stream of calls", async () => {
    const tools: OpenAI.Responses.FunctionTool[] = [
      { type: "function", name: "zoom", parameters: { type: "object" }, strict: false },
    ];
    const calls = [1, 2].map(
      (x) => `<tool_call>\n{"name": "zoom", "arguments": {"x": ${x}}}\n</tool_call>`,
    );
    say(calls.join("\n"));
    const stream = client.responses.stream({ model, input, tools });
    const snapshots: string[] = [];
    stream.on("response.function_call_arguments.delta", ({ snapshot }) => snapshots.push(snapshot));
    const { output } = await stream.finalResponse();
    expect(output).toMatchObject([
      { type: "function_call", name: "zoom", arguments: '{"x": 1}', status: "completed" },
      { type: "function_call", name: "zoom", arguments: '{"x": 2}', status: "completed" },
    ]);
    expect(snapshots).toContain('{"x": 1}');
    expect(snapshots.length).toBeGreaterThan(2);
    say(calls.join("\n"));
    const one = await client.responses.create({ model, input, tools, parallel_tool_calls: false });
    expect(one.output).toHaveLength(1);
    const none = await client.responses.create({ model, input, tools, tool_choice: "none" });
    expect(none.output).toMatchObject([{ type: "message" }]);
  });

  test("describes only the allowed tools", async () => {
    const tool = (name: string): OpenAI.Responses.FunctionTool => ({
      type: "function",
      name,
      parameters: null,
      strict: null,
    });
    const tools = [tool("zoom"), tool("turn")];
    await client.responses.create({
      model,
      input,
      tools,
      tool_choice: {
        type: "allowed_tools",
        mode: "auto",
        tools: [{ type: "function", name: "turn" }],
      },
    });
    expect(promptOf(0)).toContain("turn");
    expect(promptOf(0)).not.toContain("zoom");
    await client.responses.create({ model, input, tools, tool_choice: "auto" });
    expect(promptOf(1)).toContain("zoom");
  });

  test("reads reasoning", async () => {
    const { source } = chat.template;
    const thinking = {
      ...chat,
      template: { ...chat.template, source: `${source}<think></think>` },
    };
    served = { ...served, chat: thinking };
    say("<think>It is round.</think>A circle.");
    const whole = await client.responses.create({ model, input });
    expect(whole).toMatchObject({
      output: [
        {
          type: "reasoning",
          summary: [],
          content: [{ type: "reasoning_text", text: "It is round." }],
          status: "completed",
        },
        { type: "message" },
      ],
      output_text: "A circle.",
    });
    const thought = whole.usage?.output_tokens_details.reasoning_tokens as number;
    expect(thought).toBeGreaterThan(3);
    expect(thought).toBeLessThan(whole.usage?.output_tokens as number);

    const stream = client.responses.stream({ model, input });
    let reasoning = "";
    stream.on("response.reasoning_text.delta", ({ delta }) => (reasoning += delta));
    const final = await stream.finalResponse();
    expect(reasoning).toBe("It is round.");
    const ids = { id: expect.any(String) as string };
    expect(final.output).toMatchObject(whole.output.map((item) => ({ ...item, ...ids })));
  });

  test("stops the model when it leaves a stream", async () => {
    const stream = await client.responses.create({ model, input, stream: true });
    for await (const event of stream) if (event.type === "response.output_text.delta") break;
    await expect.poll(() => generator.ended).toBe(1);
    expect(generator.given).toBeLessThan(generator.ids.length);
  });

  test("throws its own errors, and does not retry requests that can't succeed", async () => {
    const unknown = client.responses.create({ model, input, previous_response_id: "resp_1" });
    await expect(unknown).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    await expect(unknown).rejects.toMatchObject({ code: "previous_response_not_found" });
    await expect(client.responses.retrieve("resp_1")).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    expect(requests).toBe(2);
  });

  test("throws a failure within a stream", async () => {
    generator.ids = generator.ids.slice(0, 2);
    generator.failure = new DeviceLostError("the GPU was lost");
    const types: string[] = [];
    const read = async () => {
      const stream = await client.responses.create({ model, input, stream: true });
      for await (const { type } of stream) types.push(type);
    };
    await expect(read()).rejects.toMatchObject({ code: "device_lost" });
    expect(types.at(-1)).toBe("response.failed");
    await expect(client.responses.stream({ model, input }).finalResponse()).rejects.toMatchObject({
      code: "device_lost",
    });
  });

  test("deletes a response", async () => {
    const { id } = await client.responses.create({ model, input });
    await client.responses.delete(id);
    await expect(client.responses.retrieve(id)).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });
});

test("the types of responses-wire.ts match OpenAI's", () => {
  type Published = OpenAI.Responses.Response;
  // The client adds `output_text` itself.
  expectTypeOf<ResponseObject>().toExtend<Omit<Published, "output_text">>();
  type Sent<Event> = Event extends { response: ResponseObject }
    ? Event & { response: { output_text: string } }
    : Event;
  type PublishedEvent = OpenAI.Responses.ResponseStreamEvent;
  expectTypeOf<Sent<ResponseEvent>>().toExtend<PublishedEvent>();
  expectTypeOf<Item>().toExtend<OpenAI.Responses.ResponseItem>();
  expectTypeOf<ItemList>().toExtend<OpenAI.Responses.ResponseItemList>();
  expectTypeOf<FunctionTool>().toExtend<OpenAI.Responses.Tool>();
  expectTypeOf<ToolChoice>().toExtend<Published["tool_choice"]>();
});
