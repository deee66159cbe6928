import { expect, test } from "vitest";
import { checkOrder, inputItems } from "./responses-items.ts";
import { responseMessages, responsePaths } from "./responses-messages.ts";
import { ResponseStore } from "./responses-store.ts";

const items = (input: readonly unknown[]) => inputItems(input, { input }, new ResponseStore());

const call = (call_id: string) => ({
  type: "function_call",
  call_id,
  name: "zoom",
  arguments: '{"x":1}',
});

test("a text becomes a message", () => {
  const messages = responseMessages("Be brief.", [], items([{ role: "user", content: "Hello" }]));
  expect(messages).toEqual([
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hello", contentPath: "input[0].content" },
  ]);
});

test("texts and images keep their order", () => {
  const content = [
    { type: "input_text", text: "This:" },
    { type: "input_image", image_url: "a.png" },
    { type: "input_image", image_url: "b.png", detail: "original" },
  ];
  expect(responseMessages(null, [], items([{ role: "developer", content }]))).toEqual([
    {
      role: "developer",
      content: [
        { type: "text", text: "This:" },
        { type: "image_url", image_url: { url: "a.png", detail: "auto" } },
        { type: "image_url", image_url: { url: "b.png", detail: "high" } },
      ],
      contentPath: "input[0].content",
    },
  ]);
});

test("reasoning, text and calls of one answer become one message", () => {
  const input = items([
    { type: "reasoning", summary: [], content: [{ type: "reasoning_text", text: "Hm." }] },
    { role: "assistant", content: [{ type: "output_text", text: "I look." }] },
    call("a"),
    call("b"),
    { type: "function_call_output", call_id: "a", output: "1" },
    {
      type: "function_call_output",
      call_id: "b",
      output: [{ type: "input_image", image_url: "a.png", detail: "low" }],
    },
    { type: "reasoning", summary: [{ type: "summary_text", text: "So." }] },
    call("c"),
    { role: "assistant", content: [{ type: "refusal", refusal: "No." }] },
    { role: "assistant", content: "Yes." },
  ]);
  const toolCall = (id: string) => ({ id, name: "zoom", arguments: '{"x":1}' });
  expect(
    responseMessages(null, [], input).map(({ contentPath: _, ...message }) => message),
  ).toEqual([
    {
      role: "assistant",
      reasoning: "Hm.",
      content: "I look.",
      toolCalls: [toolCall("a"), toolCall("b")],
    },
    { role: "tool", toolCallId: "a", content: "1" },
    {
      role: "tool",
      toolCallId: "b",
      content: [{ type: "image_url", image_url: { url: "a.png", detail: "low" } }],
    },
    { role: "assistant", reasoning: "So.", content: "", toolCalls: [toolCall("c")] },
    { role: "assistant", content: "No." },
    { role: "assistant", content: "Yes." },
  ]);
});

test("a call that was cut off is left out, and malformed arguments become empty", () => {
  const made = (call_id: string, json: string, status: "completed" | "incomplete") => ({
    type: "function_call" as const,
    id: `fc_${call_id}`,
    call_id,
    name: "zoom",
    arguments: json,
    status,
  });
  const previous = [made("a", '{"x":', "completed"), made("b", '{"x":', "incomplete")];
  expect(responseMessages(null, previous, [])).toMatchObject([
    { role: "assistant", toolCalls: [{ id: "a", name: "zoom", arguments: "{}" }] },
  ]);
  const [, output] = items([call("b"), { type: "function_call_output", call_id: "b", output: "" }]);
  expect(() => checkOrder(previous, output ? [output] : [])).toThrow("call_id 'b'");
});

test("errors have paths of the request", () => {
  const image = { type: "input_image", image_url: "a.png" };
  const previous = items([{ role: "user", content: [image] }]);
  const input = items([
    call("a"),
    { type: "function_call_output", call_id: "a", output: [image] },
    { role: "user", content: [{ type: "input_text", text: "And?" }, image] },
  ]);
  const messages = responseMessages("Be brief.", previous, input);
  const body = (type: "text" | "json_object" | "json_schema") => ({
    text: { format: { type, name: "answer", schema: {} } },
  });
  const pathOf = responsePaths(body("json_schema"), messages);
  expect(pathOf("messages")).toBe("input");
  expect(pathOf({ message: 1, part: 0 })).toBe("previous_response_id");
  expect(pathOf({ message: 3, part: 0 })).toBe("input[1].output[0].image_url");
  expect(pathOf({ message: 4, part: 1 })).toBe("input[2].content[1].image_url");
  expect(pathOf("minTokens")).toBe("min_tokens");
  expect(pathOf("toolChoice")).toBe("tool_choice");
  expect(pathOf("format")).toBe("text.format.schema");
  expect(responsePaths(body("json_object"), messages)("format")).toBe("text.format");
});
