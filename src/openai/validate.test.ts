import { describe, expect, test } from "vitest";
import { chatMessages, validateChatCompletion } from "./chat-completions-request.ts";
import { OpenAIError } from "./errors.ts";

const HELLO = [{ role: "user", content: "Hello" }];
const url = "data:,";

const withContent = (...content: unknown[]) => ({ messages: [{ role: "user", content }] });
const withMessage = (message: unknown) => ({ messages: [message] });
const withField = (field: string, value: unknown) => ({ messages: HELLO, [field]: value });

function refusal(body: unknown): OpenAIError {
  try {
    validateChatCompletion(body);
  } catch (error) {
    if (error instanceof OpenAIError) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(body)}`);
}

describe("validateChatCompletion accepts", () => {
  test("every field", () => {
    const body = {
      model: "default",
      messages: HELLO,
      max_completion_tokens: 5,
      max_tokens: 6,
      temperature: 0.5,
      top_p: 0.9,
      top_k: -1,
      min_p: 0.1,
      seed: 2 ** 60,
      stop: ["a", "b", "c", "d", "e"],
      stop_token_ids: [1],
      ignore_eos: true,
      no_stop_trim: true,
      skip_special_tokens: false,
      stream: true,
      stream_options: { include_usage: true, continuous_usage_stats: false },
      n: 8,
      continue_final_message: true,
      chat_template_kwargs: { enable_thinking: false },
    };
    expect(validateChatCompletion(body)).toEqual(body);
  });

  test("null for every optional field", () => {
    const names = [
      ..."model max_completion_tokens max_tokens temperature top_p top_k min_p seed stop".split(
        " ",
      ),
      ..."stop_token_ids stream stream_options n chat_template_kwargs tools logprobs".split(" "),
      ..."response_format logit_bias frequency_penalty presence_penalty".split(" "),
    ];
    const nulls = Object.fromEntries(names.map((name) => [name, null]));
    expect(validateChatCompletion({ messages: HELLO, ...nulls }).messages).toEqual(HELLO);
  });

  test("fields without effect, and unknown fields", () => {
    const body = {
      messages: HELLO,
      user: "me",
      metadata: { a: "b" },
      store: true,
      service_tier: "auto",
      verbosity: "low",
      prompt_cache_key: "x",
      whatever: { it: "is" },
    };
    expect(validateChatCompletion(body)).toEqual({ messages: HELLO });
  });

  test("unsupported fields with values that ask for nothing", () => {
    const body = {
      messages: [{ role: "assistant", content: "Hi", tool_calls: [] }],
      tools: [],
      tool_choice: "none",
      response_format: { type: "text" },
      logprobs: false,
      top_logprobs: 0,
      logit_bias: {},
      frequency_penalty: 0,
      presence_penalty: 0,
      repetition_penalty: 1,
      min_tokens: 0,
    };
    expect(() => validateChatCompletion(body)).not.toThrow();
  });

  test("every role, in any case, and an assistant without content", () => {
    const roles = ["system", "developer", "user", "tool", "function", "User", "SYSTEM"];
    const body = { messages: roles.map((role) => ({ role, content: "x", name: "n" })) };
    const { messages } = validateChatCompletion(body);
    expect(messages.map(({ role }) => role)).toEqual(roles.map((role) => role.toLowerCase()));
    for (const message of [{ role: "assistant" }, { role: "assistant", content: null }]) {
      expect(chatMessages(validateChatCompletion({ messages: [message] }))).toEqual([
        { role: "assistant", content: [] },
      ]);
    }
  });

  test("calls and reasoning in messages", () => {
    const call = { id: "call_1", type: "function", function: { name: "zoom", arguments: "{}" } };
    const body = {
      messages: [
        { role: "assistant", content: "", reasoning_content: "Hm", tool_calls: [call], name: "a" },
        { role: "tool", content: "1", tool_call_id: "call_1", name: "zoom" },
      ],
    };
    expect(chatMessages(validateChatCompletion(body))).toEqual([
      {
        role: "assistant",
        content: "",
        name: "a",
        reasoning: "Hm",
        toolCalls: [{ id: "call_1", name: "zoom", arguments: "{}" }],
      },
      { role: "tool", content: "1", name: "zoom", toolCallId: "call_1" },
    ]);
  });

  test("every kind of part", () => {
    const body = withContent(
      { type: "text", text: "Hello" },
      { type: "image_url", image_url: { url } },
      { type: "image_url", image_url: { url, detail: "low" }, modalities: "image" },
      { type: "image_url", image_url: { url, detail: null } },
      { type: "refusal", refusal: "No" },
    );
    expect(chatMessages(validateChatCompletion(body))).toEqual(
      withContent(
        { type: "text", text: "Hello" },
        { type: "image_url", image_url: { url } },
        { type: "image_url", image_url: { url, detail: "low" } },
        { type: "image_url", image_url: { url } },
        { type: "text", text: "No" },
      ).messages,
    );
  });
});

describe("validateChatCompletion refuses", () => {
  test.each<[string, unknown]>([
    ["messages", {}],
    ["messages[0].role", withMessage({ content: "x" })],
    ["messages[0].content", withMessage({ role: "user" })],
    ["messages[0].content[0].type", withContent({})],
    ["messages[0].content[0].text", withContent({ type: "text" })],
    [
      "messages[0].content[1].image_url",
      withContent({ type: "text", text: "" }, { type: "image_url" }),
    ],
    ["messages[0].content[0].image_url.url", withContent({ type: "image_url", image_url: {} })],
  ])("%s missing", (param, body) => {
    expect(refusal(body)).toMatchObject({ status: 400, code: "missing_required_parameter", param });
  });

  test.each<[string, unknown]>([
    ["messages", { messages: "Hello" }],
    ["messages", { messages: null }],
    ["messages[0]", withMessage("Hello")],
    ["messages[0].role", withMessage({ role: 1, content: "x" })],
    ["messages[0].content", withMessage({ role: "user", content: 1 })],
    ["messages[0].content", withMessage({ role: "user", content: null })],
    ["messages[0].content[0]", withContent("text")],
    ["messages[0].content[0].type", withContent({ type: 1 })],
    ["messages[0].content[0].text", withContent({ type: "text", text: 1 })],
    ["messages[0].content[0].image_url", withContent({ type: "image_url", image_url: [url] })],
    [
      "messages[0].content[0].image_url.url",
      withContent({ type: "image_url", image_url: { url: 1 } }),
    ],
    ["model", withField("model", 1)],
    ["max_tokens", withField("max_tokens", "5")],
    ["max_completion_tokens", withField("max_completion_tokens", 1.5)],
    ["temperature", withField("temperature", "hot")],
    ["stop", withField("stop", 1)],
    ["stop[1]", withField("stop", ["a", 1])],
    ["n", withField("n", 1.5)],
    ["no_stop_trim", withField("no_stop_trim", 1)],
    ["continue_final_message", withField("continue_final_message", "yes")],
    ["stream", withField("stream", "yes")],
    ["stream_options", withField("stream_options", true)],
    ["chat_template_kwargs", withField("chat_template_kwargs", [])],
  ])("%s of the wrong type", (param, body) => {
    expect(refusal(body)).toMatchObject({ status: 400, code: "invalid_type", param });
  });

  test.each<[string, unknown]>([
    ["messages", { messages: [] }],
    ["messages[0].role", withMessage({ role: "wizard", content: "x" })],
    [
      "messages[0].content[0].image_url.url",
      withContent({ type: "image_url", image_url: { url: "" } }),
    ],
    [
      "messages[0].content[0].image_url.detail",
      withContent({ type: "image_url", image_url: { url, detail: "most" } }),
    ],
    ["max_tokens", withField("max_tokens", 0)],
    ["temperature", withField("temperature", -0.1)],
    ["temperature", withField("temperature", 2.1)],
    ["top_p", withField("top_p", 1.1)],
    ["top_k", withField("top_k", -2)],
    ["min_p", withField("min_p", -1)],
    ["seed", withField("seed", 0.5)],
    ["stop", withField("stop", "")],
    ["stop[0]", withField("stop", [""])],
    ["n", withField("n", 0)],
    ["n", withField("n", 9)],
  ])("%s out of range", (param, body) => {
    expect(refusal(body)).toMatchObject({ status: 400, code: "invalid_value", param });
  });

  test.each<[string, unknown]>([
    ["of an unknown type", { type: "hologram" }],
    ["audio", { type: "input_audio", input_audio: { data: "", format: "wav" } }],
    ["a file", { type: "file", file: { file_id: "x" } }],
    ["video", { type: "video_url", video_url: { url } }],
  ])("a part that is %s", (_, part) => {
    expect(refusal(withContent({ type: "text", text: "Hi" }, part))).toMatchObject({
      status: 400,
      code: "unsupported_content_part",
      param: "messages[0].content[1]",
    });
  });

  test.each<[string, unknown]>([
    ["stop_regex", "a+"],
    ["functions", [{ name: "zoom" }]],
    ["input_ids", [1]],
  ])("the unsupported field %s", (param, value) => {
    const error = refusal(withField(param, value));
    expect(error).toMatchObject({ status: 400, code: "unsupported_parameter", param });
    expect(error.message).toContain("not supported yet");
  });

  test("a message with a function_call", () => {
    const function_call = { name: "zoom", arguments: "{}" };
    const message = { role: "assistant", content: null, function_call };
    expect(refusal({ messages: [HELLO[0], message] })).toMatchObject({
      code: "unsupported_parameter",
      param: "messages[1].function_call",
    });
  });
});

test("messages have the expected and the actual value", () => {
  const messages = [
    {},
    withField("temperature", "hot"),
    withField("max_tokens", 1.5),
    withField("top_p", 3),
    withMessage({ role: "user", content: 1 }),
    withMessage({ role: "wizard", content: "" }),
    withField("n", 9),
  ].map((body) => refusal(body).message);
  expect(messages).toEqual([
    "Missing required parameter: 'messages'.",
    "Invalid type for 'temperature': expected a number from 0 to 2, but got string instead.",
    "Invalid type for 'max_tokens': expected an integer of at least 1, or -1, but got 1.5 instead.",
    "Invalid value for 'top_p': expected a number from 0 to 1, but got 3 instead.",
    "Invalid type for 'messages[0].content': expected string or array, but got number instead.",
    "Invalid value for 'messages[0].role': expected one of 'system', 'developer', 'user', " +
      "'assistant', 'tool', 'function', but got \"wizard\" instead.",
    "Invalid value for 'n': expected an integer from 1 to 8, but got 9 instead.",
  ]);
});
