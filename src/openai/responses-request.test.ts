import { describe, expect, test } from "vitest";
import type { OpenAIError } from "./errors.ts";
import { checkOrder, inputItems } from "./responses-items.ts";
import { RENAMED_RESPONSE_FIELDS, validateResponse } from "./responses-request.ts";
import { ResponseStore } from "./responses-store.ts";
import { UNSUPPORTED_RESPONSE_FIELDS } from "./unsupported.ts";

/** All checks of a body that need no model. */
function check(body: Record<string, unknown>): void {
  const checked = validateResponse(body);
  checkOrder([], inputItems(checked.input ?? [], body, new ResponseStore()));
}

function errorOf(body: Record<string, unknown>) {
  try {
    check(body);
  } catch (error) {
    const { status, code, param, message } = error as OpenAIError;
    return { status, code, param, message };
  }
  throw new Error(`nothing is wrong with ${JSON.stringify(body)}`);
}

const zoom = { type: "function", name: "zoom", parameters: { type: "object" }, strict: true };
const hello = { input: "Hello" };
const withPart = (part: unknown, role = "user") => ({
  input: [
    { role: "user", content: "Hello" },
    { role, content: [part] },
  ],
});

test.each<[string, Record<string, unknown>]>([
  ["a text", hello],
  ["a message without a type", { input: [{ role: "developer", content: "Be brief." }] }],
  ["a message", { input: [{ type: "message", role: "user", content: [] }] }],
  ["no input after another response", { previous_response_id: "resp_1" }],
  [
    "null values",
    { ...hello, tools: null, text: null, tool_choice: null, metadata: null, store: null },
  ],
  ["text", { ...hello, text: { format: { type: "text" }, verbosity: "low" } }],
  ["JSON", { ...hello, text: { format: { type: "json_object" } } }],
  ["a chosen tool", { ...hello, tools: [zoom], tool_choice: { type: "function", name: "zoom" } }],
  ["values that ask for nothing", { ...hello, background: false, n: 1, context_management: [] }],
  ["unknown fields", { ...hello, moderation: { model: "m" }, max_tool_calls: 3, whatever: 1 }],
])("%s is accepted", (_, body) => {
  expect(() => check(body)).not.toThrow();
});

describe("a refused body", () => {
  test.each<[Record<string, unknown>, string, string, string]>([
    [{}, "input", "missing_required_parameter", "Missing required parameter: 'input'"],
    [{ input: 1 }, "input", "invalid_type", "expected string or array"],
    [{ input: [] }, "input", "invalid_value", "not empty"],
    [{ input: ["Hello"] }, "input[0]", "invalid_type", "expected object, but got string"],
    [{ input: [{ content: "" }] }, "input[0].role", "missing_required_parameter", "input[0].role"],
    [
      { input: [{ role: "tool", content: "" }] },
      "input[0].role",
      "invalid_value",
      "one of 'user', 'assistant', 'system', 'developer'",
    ],
    [{ input: [{ role: "user" }] }, "input[0].content", "missing_required_parameter", "content"],
    [
      { input: [{ role: "user", content: 5 }] },
      "input[0].content",
      "invalid_type",
      "expected string or array",
    ],
    [
      { input: [{ type: "web_search_call" }] },
      "input[0].type",
      "invalid_value",
      "'message', 'function_call', 'function_call_output', 'reasoning', 'item_reference'",
    ],
    [
      withPart({ type: "input_file", file_id: "f" }),
      "input[1].content[0]",
      "unsupported_content_part",
      "'input_text', 'input_image'",
    ],
    [
      withPart({ type: "image_url", image_url: { url: "a" } }),
      "input[1].content[0]",
      "unsupported_content_part",
      "'input_text', 'input_image'",
    ],
    [
      withPart({ type: "input_image", image_url: "a" }, "assistant"),
      "input[1].content[0]",
      "unsupported_content_part",
      "'output_text', 'refusal', 'input_text'",
    ],
    [
      withPart({ type: "input_text" }),
      "input[1].content[0].text",
      "missing_required_parameter",
      "text",
    ],
    [
      withPart({ type: "input_image" }),
      "input[1].content[0].image_url",
      "missing_required_parameter",
      "image_url",
    ],
    [
      withPart({ type: "input_image", image_url: { url: "a" } }),
      "input[1].content[0].image_url",
      "invalid_type",
      "expected string, but got object",
    ],
    [
      withPart({ type: "input_image", file_id: "file_1" }),
      "input[1].content[0].file_id",
      "unsupported_content_part",
      "use 'image_url'",
    ],
    [
      withPart({ type: "input_image", image_url: "a", detail: "some" }),
      "input[1].content[0].detail",
      "invalid_value",
      "'auto', 'low', 'high', 'original'",
    ],
    [
      { input: [{ type: "function_call", call_id: "c", name: "zoom", arguments: "[1]" }] },
      "input[0].arguments",
      "invalid_value",
      "the JSON of an object",
    ],
    [
      { input: [{ type: "function_call", name: "zoom", arguments: "{}" }] },
      "input[0].call_id",
      "missing_required_parameter",
      "call_id",
    ],
    [
      { input: [{ type: "function_call_output", call_id: "c", output: "1" }] },
      "input[0].call_id",
      "invalid_value",
      "No tool call found for function call output with call_id 'c'",
    ],
    [{ ...hello, max_output_tokens: 0 }, "max_output_tokens", "invalid_value", "at least 1"],
    [{ ...hello, temperature: 3 }, "temperature", "invalid_value", "from 0 to 2"],
    [{ ...hello, top_logprobs: 21 }, "top_logprobs", "invalid_value", "from 0 to 20"],
    [{ ...hello, top_k: -2 }, "top_k", "invalid_value", "at least -1"],
    [{ ...hello, include: ["all"] }, "include[0]", "invalid_value", "message.output_text.logprobs"],
    [{ ...hello, truncation: "middle" }, "truncation", "invalid_value", "'auto', 'disabled'"],
    [{ ...hello, store: "yes" }, "store", "invalid_type", "expected boolean"],
    [
      { ...hello, reasoning: { effort: "some" } },
      "reasoning.effort",
      "invalid_value",
      "'none', 'minimal', 'low'",
    ],
    [{ ...hello, metadata: { a: 1 } }, "metadata.a", "invalid_type", "at most 512 characters"],
    [
      { ...hello, metadata: { a: "x".repeat(513) } },
      "metadata.a",
      "invalid_value",
      "at most 512 characters",
    ],
    [
      { ...hello, metadata: Object.fromEntries([...Array(17).keys()].map((i) => [i, ""])) },
      "metadata",
      "invalid_value",
      "at most 16 pairs",
    ],
    [{ ...hello, metadata: { ["x".repeat(65)]: "" } }, "metadata", "invalid_value", "64"],
    [
      { ...hello, text: { format: { type: "xml" } } },
      "text.format.type",
      "invalid_value",
      "'text', 'json_object', 'json_schema'",
    ],
    [
      { ...hello, text: { format: { type: "json_schema", name: "a" } } },
      "text.format.schema",
      "missing_required_parameter",
      "text.format.schema",
    ],
    [
      { ...hello, text: { format: { type: "json_schema", name: "a b", schema: {} } } },
      "text.format.name",
      "invalid_value",
      "1 to 64 letters",
    ],
    [
      { ...hello, tools: [{ type: "web_search" }] },
      "tools[0].type",
      "invalid_value",
      "expected 'function'",
    ],
    [
      { ...hello, tools: [{ type: "function" }] },
      "tools[0].name",
      "missing_required_parameter",
      "",
    ],
    [
      // Content parts of chat completions.
      { ...hello, tools: [{ type: "function", function: { name: "zoom" } }] },
      "tools[0].name",
      "missing_required_parameter",
      "tools[0].name",
    ],
    [{ ...hello, tools: [zoom, zoom] }, "tools[1].name", "invalid_value", "a unique name"],
    [
      { ...hello, tool_choice: "some", tools: [zoom] },
      "tool_choice",
      "invalid_value",
      "'none', 'auto', 'required'",
    ],
    [{ ...hello, tool_choice: "required" }, "tool_choice", "invalid_value", "without 'tools'"],
    [
      { ...hello, tools: [zoom], tool_choice: { type: "file_search" } },
      "tool_choice.type",
      "invalid_value",
      "'function', 'allowed_tools'",
    ],
    [
      { ...hello, tools: [zoom], tool_choice: { type: "function" } },
      "tool_choice.name",
      "missing_required_parameter",
      "tool_choice.name",
    ],
    [
      { ...hello, tools: [zoom], tool_choice: { type: "function", name: "turn" } },
      "tool_choice.name",
      "invalid_value",
      "one of 'tools' (zoom)",
    ],
    [
      {
        ...hello,
        tools: [zoom],
        tool_choice: {
          type: "allowed_tools",
          mode: "auto",
          tools: [{ type: "function", name: "turn" }],
        },
      },
      "tool_choice.tools[0].name",
      "invalid_value",
      "one of 'tools' (zoom)",
    ],
    [
      { ...hello, tools: [zoom], tool_choice: { type: "allowed_tools", tools: [zoom] } },
      "tool_choice.mode",
      "missing_required_parameter",
      "tool_choice.mode",
    ],
  ])("%j", (body, param, code, message) => {
    const error = errorOf(body);
    expect(error).toMatchObject({ status: 400, code, param });
    expect(error.message).toContain(message);
  });

  test.each(Object.keys(UNSUPPORTED_RESPONSE_FIELDS))("%s", (param) => {
    const error = errorOf({ ...hello, [param]: param === "background" ? true : ["something"] });
    expect(error).toMatchObject({ status: 400, code: "unsupported_parameter", param });
  });

  test.each(Object.entries(RENAMED_RESPONSE_FIELDS))(
    "%s, which is called %s here",
    (param, name) => {
      const error = errorOf({ ...hello, [param]: 1 });
      expect(error).toMatchObject({ status: 400, code: "unsupported_parameter", param });
      expect(error.message).toContain(`'${name}'`);
    },
  );

  test("a reference to an unknown item", () => {
    const error = errorOf({ input: [{ type: "item_reference", id: "msg_1" }] });
    expect(error).toMatchObject({ status: 404, code: "item_not_found", param: "input[0].id" });
    expect(errorOf({ input: [{ id: "msg_1" }] })).toEqual(error);
  });
});
