import { expect, test } from "vitest";
import { RequestError } from "../chat/request-error.ts";
import { checkOrder, inputItems } from "./responses-items.ts";
import { responseMessages, withOwnPath } from "./responses-messages.ts";
import { ResponseStore } from "./responses-store.ts";

const items = (input: readonly unknown[]) => inputItems(input, { input }, new ResponseStore());

const call = (call_id: string) => ({
  type: "function_call",
  call_id,
  name: "zoom",
  arguments: '{"x":1}',
});

test("a text is a message as it is", () => {
  const messages = responseMessages("Be brief.", [], items([{ role: "user", content: "Hello" }]));
  expect(messages).toEqual([
    { role: "system", content: "Be brief.", path: "instructions" },
    { role: "user", content: "Hello", path: "input[0].content" },
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
      path: "input[0].content",
    },
  ]);
});

test("what the model thought, said and called in one go is one message", () => {
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
  expect(responseMessages(null, [], input).map(({ path: _, ...message }) => message)).toEqual([
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

test("a call that was cut is left out, and malformed arguments are none", () => {
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

test("errors name paths of the request", () => {
  const image = { type: "input_image", image_url: "a.png" };
  const previous = items([{ role: "user", content: [image] }]);
  const input = items([
    call("a"),
    { type: "function_call_output", call_id: "a", output: [image] },
    { role: "user", content: [{ type: "input_text", text: "And?" }, image] },
  ]);
  const messages = responseMessages("Be brief.", previous, input);
  const paramOf = (param: string) => {
    const error = new RequestError("invalid_value", param, "wrong");
    return (withOwnPath(error, messages) as RequestError).param;
  };
  expect(paramOf("messages")).toBe("input");
  expect(paramOf("messages[0]")).toBe("instructions");
  expect(paramOf("messages[1].content[0].image_url.url")).toBe("previous_response_id");
  expect(paramOf("messages[2].tool_calls[0]")).toBe("input[0]");
  expect(paramOf("messages[3].content[0].image_url.url")).toBe("input[1].output[0].image_url");
  expect(paramOf("messages[4].content[1].image_url.url")).toBe("input[2].content[1].image_url");
  expect(paramOf("min_tokens")).toBe("min_tokens");
  const other = new Error("something else");
  expect(withOwnPath(other, messages)).toBe(other);
});
