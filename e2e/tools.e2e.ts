import { Ajv } from "ajv";
import type { Page } from "playwright";
import { beforeAll, describe, expect, test } from "vitest";
import type { ChatCompletion, RequestMessage, RequestTool } from "../src/openai/wire.ts";
import { openSample } from "./browser.ts";

const CIRCLE = "/e2e/goldens/sample/red-circle.png";
const STAR = "/e2e/goldens/sample/circle-and-star.png";

const parameters = {
  type: "object",
  properties: {
    color: { enum: ["red", "green", "blue"] },
    shape: { enum: ["circle", "square", "star"] },
    count: { type: "integer", minimum: 1, maximum: 3 },
  },
  required: ["color", "shape", "count"],
  additionalProperties: false,
};
const NOTE: RequestTool = {
  type: "function",
  function: {
    name: "note_shape",
    description: "Notes a shape that is in the image.",
    parameters,
  },
};
const LOOK: RequestTool = {
  type: "function",
  function: { name: "look_closer", description: "Shows a part of the image." },
};
const isShape = new Ajv().compile(parameters);

const asked: RequestMessage = {
  role: "user",
  content: [
    { type: "image_url", image_url: { url: CIRCLE } },
    { type: "text", text: "What's in this image?" },
  ],
};
const request = { messages: [asked], tools: [NOTE, LOOK], temperature: 0, max_tokens: 200 };

let page: Page;
beforeAll(async () => {
  page = await openSample();
});

async function complete(body: object): Promise<ChatCompletion> {
  const { status, body: answer } = await page.evaluate(
    async (body) => window.tools.answer(await window.tools.post(body)),
    body,
  );
  expect(status, JSON.stringify(answer)).toBe(200);
  return answer as ChatCompletion;
}

describe("the sample model, whose template has no tools,", () => {
  const named = { ...request, tool_choice: { type: "function", function: { name: "note_shape" } } };

  test("calls the named tool with arguments that fit its schema", async () => {
    const { choices, usage } = await complete(named);
    const [choice] = choices;
    expect(choice).toMatchObject({ message: { content: null }, finish_reason: "tool_calls" });
    const calls = choice?.message.tool_calls ?? [];
    expect(calls.map((call) => call.function.name)).toEqual(["note_shape"]);
    expect(isShape(JSON.parse(calls[0]?.function.arguments ?? "")), JSON.stringify(calls)).toBe(
      true,
    );
    expect(usage.prompt_tokens_details.image_tokens).toBeGreaterThan(0);
  });

  test("streams the same call", async () => {
    const { choices } = await complete(named);
    const streamed = await page.evaluate(
      async (body) => window.tools.chunks(await window.tools.post(body)),
      { ...named, stream: true },
    );
    const deltas = streamed.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
    expect(deltas[0]).toMatchObject({
      index: 0,
      type: "function",
      function: { name: "note_shape", arguments: "" },
    });
    expect(deltas.length).toBeGreaterThan(3);
    const json = deltas.map((delta) => delta.function.arguments).join("");
    expect(json).toBe(choices[0]?.message.tool_calls?.[0]?.function.arguments);
    expect(streamed.at(-1)?.choices[0]?.finish_reason).toBe("tool_calls");
  });

  test("calls one of several required tools", async () => {
    const body = {
      ...request,
      tool_choice: "required",
      parallel_tool_calls: false,
      temperature: 1,
      seed: 3,
    };
    const { choices } = await complete(body);
    const [call, ...others] = choices[0]?.message.tool_calls ?? [];
    expect(others).toEqual([]);
    expect(["note_shape", "look_closer"]).toContain(call?.function.name);
    const values: unknown = JSON.parse(call?.function.arguments ?? "");
    if (call?.function.name === "note_shape") expect(isShape(values)).toBe(true);
    else expect(values).toEqual({});
  });

  test("answers after a tool's result with an image", async () => {
    const { choices, usage } = await complete(named);
    const { tool_calls } = choices[0]?.message ?? {};
    const found: RequestMessage = {
      role: "tool",
      tool_call_id: tool_calls?.[0]?.id,
      content: [{ type: "image_url", image_url: { url: STAR } }],
    };
    const messages = [asked, { role: "assistant", tool_calls }, found];
    const answered = await complete({ messages, temperature: 0, max_tokens: 60 });
    const [choice] = answered.choices;
    expect(choice?.finish_reason).toBe("stop");
    expect(choice?.message).not.toHaveProperty("tool_calls");
    expect(choice?.message.content?.trim()).not.toBe("");
    const images = usage.prompt_tokens_details.image_tokens;
    expect(answered.usage.prompt_tokens_details.image_tokens).toBe(2 * images);
  });

  test("runs tools for the openai package", async () => {
    const result = await page.evaluate(async (body) => {
      const { completions } = (await window.tools.client("vlm.intercept()")).chat;
      const values: unknown[] = [];
      const runner = completions.runTools({
        ...body,
        model: "default",
        messages: [{ role: "user", content: "What do you see?" }],
        tools: [
          {
            type: "function",
            function: {
              name: "note_shape",
              description: "Notes a shape.",
              parameters: body.tools[0]?.function.parameters ?? {},
              parse: JSON.parse as (text: string) => object,
              function: (shape: object) => void values.push(shape),
            },
          },
        ],
        tool_choice: { type: "function", function: { name: "note_shape" } },
      });
      await runner.done();
      return values;
    }, request);
    expect(result).toHaveLength(1);
    expect(isShape(result[0]), JSON.stringify(result)).toBe(true);
  });
});
