import { describe, expect, test } from "vitest";
import type { AnswerDelta } from "../chat/answer-types.ts";
import type { TokenLogprobs } from "../chat/logprobs.ts";
import { ResponseOutput } from "./responses-output.ts";
import type { OutputEvent } from "./responses-wire.ts";

const place = (token: string): TokenLogprobs => ({ token, bytes: [], logprob: -1, top: [] });

function play(
  deltas: readonly Partial<AnswerDelta>[],
  status: "completed" | "incomplete" = "completed",
) {
  const output = new ResponseOutput();
  const events: OutputEvent[] = [];
  for (const delta of deltas) events.push(...output.push({ choice: 0, text: "", ...delta }));
  events.push(...output.end(status));
  const short = events.map(({ type }) => type.replace("response.", ""));
  return { items: output.items, events, short };
}

const call = (index: number, more: string, id?: string, name?: string): Partial<AnswerDelta> => ({
  toolCalls: [{ index, arguments: more, ...(id && { id }), ...(name && { name }) }],
});

describe("the output", () => {
  test("is one message if there is only text", () => {
    const { items, short } = play([{ text: "A" }, {}, { text: " circle" }]);
    expect(items).toEqual([
      {
        type: "message",
        id: expect.stringMatching(/^msg_\w{32}$/) as string,
        status: "completed",
        role: "assistant",
        content: [{ type: "output_text", text: "A circle", annotations: [], logprobs: [] }],
      },
    ]);
    expect(short).toEqual([
      "output_item.added",
      "content_part.added",
      "output_text.delta",
      "output_text.delta",
      "output_text.done",
      "content_part.done",
      "output_item.done",
    ]);
  });

  test("has items for reasoning, text and call, in this order", () => {
    const { items, events } = play([
      { reasoning: "Let me " },
      { reasoning: "look." },
      { text: "I look." },
      call(0, '{"x":', "call_a", "zoom"),
      call(0, "1}"),
      call(1, "{}", "call_b", "turn"),
    ]);
    const id = expect.any(String) as string;
    const status = "completed";
    expect(items).toEqual([
      {
        type: "reasoning",
        id: expect.stringMatching(/^rs_/) as string,
        status,
        summary: [],
        content: [{ type: "reasoning_text", text: "Let me look." }],
      },
      expect.objectContaining({ type: "message", status }),
      { type: "function_call", id, call_id: "call_a", name: "zoom", arguments: '{"x":1}', status },
      { type: "function_call", id, call_id: "call_b", name: "turn", arguments: "{}", status },
    ]);
    expect(items[2]?.id).toMatch(/^fc_/);
    const deltas = events.filter(({ type }) => type.endsWith(".delta"));
    expect(deltas.map((event) => "delta" in event && event.delta)).toEqual([
      "Let me ",
      "look.",
      "I look.",
      '{"x":',
      "1}",
      "{}",
    ]);
    // Each event has the id of its item.
    for (const event of events) {
      const item = items[event.output_index];
      expect("item" in event ? event.item.id : event.item_id).toBe(item?.id);
    }
    const done = events.filter(({ type }) => type === "response.output_item.done");
    expect(done).toEqual(
      items.map((item, output_index) => ({
        type: "response.output_item.done",
        output_index,
        item,
      })),
    );
  });

  test("announces an item only when it begins", () => {
    const { events } = play([{ reasoning: "R" }, { text: "T" }, call(0, "{}", "call_a", "zoom")]);
    const added = events.filter(({ type }) => type === "response.output_item.added");
    expect(added).toMatchObject([
      { item: { type: "reasoning", status: "in_progress", content: [] } },
      { item: { type: "message", status: "in_progress", content: [] } },
      { item: { type: "function_call", status: "in_progress", name: "zoom", arguments: "" } },
    ]);
  });

  test("begins another message after a call", () => {
    const { items } = play([{ text: "A" }, call(0, "{}", "call_a", "zoom"), { text: "B" }]);
    expect(items.map(({ type }) => type)).toEqual(["message", "function_call", "message"]);
  });

  test("has a complete call without arguments", () => {
    const { items, short } = play([call(0, "", "call_a", "zoom")]);
    expect(items).toMatchObject([{ arguments: "", name: "zoom" }]);
    expect(short).toEqual([
      "output_item.added",
      "function_call_arguments.done",
      "output_item.done",
    ]);
  });

  test("is incomplete only in its last item at the length limit", () => {
    const { items } = play([{ reasoning: "R" }, { text: "T" }], "incomplete");
    expect(items.map(({ status }) => status)).toEqual(["completed", "incomplete"]);
    const cut = play([{ reasoning: "R" }], "incomplete");
    expect(cut.items).toMatchObject([{ type: "reasoning", status: "incomplete" }]);
    const called = play([call(0, '{"x', "call_a", "zoom")], "incomplete");
    expect(called.items).toMatchObject([{ arguments: '{"x', status: "incomplete" }]);
  });

  test.each<[string, Partial<AnswerDelta>[], string[]]>([
    ["nothing came", [{}], ["message"]],
    ["nothing was said", [{ reasoning: "R" }], ["reasoning", "message"]],
    ["something was called", [call(0, "{}", "call_a", "zoom")], ["function_call"]],
  ])("has an empty message if necessary: %s", (_, deltas, types) => {
    const { items, short } = play(deltas);
    expect(items.map(({ type }) => type)).toEqual(types);
    if (types.at(-1) !== "message") return;
    expect(items.at(-1)).toMatchObject({ content: [{ type: "output_text", text: "" }] });
    expect(short).not.toContain("output_text.delta");
  });

  test("has the logprobs of the text only", () => {
    const { items, events } = play([
      { reasoning: "R", logprobs: place("R") },
      { logprobs: place("</think>") },
      { text: "Oh ", logprobs: place("Oh ") },
      { logprobs: place("bear's first byte") },
      { text: "🐻", logprobs: place("bear's last byte") },
      { text: "!", logprobs: place("!") },
      { ...call(0, "{}", "call_a", "zoom"), logprobs: place("{}") },
    ]);
    const tokens = (event: object) =>
      (event as { logprobs: { token: string }[] }).logprobs.map(({ token }) => token);
    const deltas = events.filter(({ type }) => type === "response.output_text.delta");
    expect(deltas.map(tokens)).toEqual([["Oh "], ["bear's first byte", "bear's last byte"], ["!"]]);
    const whole = ["Oh ", "bear's first byte", "bear's last byte", "!"];
    const done = events.filter(({ type }) => type === "response.output_text.done");
    expect(done.map(tokens)).toEqual([whole]);
    expect(items[1]).toMatchObject({ content: [{ logprobs: whole.map((token) => ({ token })) }] });
  });
});
