import { describe } from "vitest";
import {
  BOOLEAN,
  FORMATS,
  NAME_RANGE,
  type Refusal,
  type Refusals,
  SHARED,
  STRING,
  integers,
  listOfIds,
  missing,
  refusals,
  testRefusals,
  type,
  value,
  within,
} from "../../tests/refusals.ts";
import { chatCompletionRequest } from "./chat-completions-request.ts";
import { completionRequest } from "./text-completions.ts";
import { detokenizeRequest, tokenizeRequest } from "./tokenize.ts";

const jsonSchema = (at: string, rows: readonly Refusal[], put: (value: unknown) => object) =>
  within(`.json_schema${at}`, rows, (value) => ({ type: "json_schema", json_schema: put(value) }));

const STREAM_OPTIONS = [
  ...type("object", true, "include_usage", 1, []),
  ...within(".include_usage", BOOLEAN, (include_usage) => ({ include_usage })),
  ...within(".continuous_usage_stats", BOOLEAN, (given) => ({ continuous_usage_stats: given })),
  ...within(".include_progress", BOOLEAN, (include_progress) => ({ include_progress })),
];

const RESPONSE_FORMAT = [
  ...type("object", "json_object", 1, true, []),
  ...missing("'response_format.type'", {}).map((row) => ({ ...row, at: ".type" })),
  ...within(
    ".type",
    value("one of 'text', 'json_object', 'json_schema'", "xml", "", 1),
    (type) => ({ type }),
  ),
  ...within(".json_schema", missing("Missing", undefined), () => ({ type: "json_schema" })),
  ...within(".json_schema", type("object", "shape", 1, null), (json_schema) => ({
    type: "json_schema",
    json_schema,
  })),
  ...jsonSchema(".name", missing("Missing", undefined), (name) => ({ name, schema: {} })),
  ...jsonSchema(".name", type("string", 1, null), (name) => ({ name, schema: {} })),
  ...jsonSchema(".name", value(NAME_RANGE, "", "a b", "x".repeat(65)), (name) => ({
    name,
    schema: {},
  })),
  ...jsonSchema(".description", STRING, (description) => ({ name: "a", schema: {}, description })),
  ...jsonSchema(".strict", BOOLEAN, (strict) => ({ name: "a", schema: {}, strict })),
  ...jsonSchema(".schema", missing("Missing", undefined), () => ({ name: "a" })),
  ...jsonSchema(".schema", type("object", "{}", 1, []), (schema) => ({ name: "a", schema })),
  ...jsonSchema(".schema", value("", { type: "strin" }, { $ref: "#/nowhere" }), (schema) => ({
    name: "a",
    schema,
  })),
];

/** Parameters of both completion endpoints. */
const COMMON = {
  ...SHARED,
  max_tokens: integers("an integer of at least 1, or -1", 0, -2),
  n: integers("an integer from 1 to 8", 0, 9),
  stream_options: STREAM_OPTIONS,
  response_format: RESPONSE_FORMAT,
  ...FORMATS,
};

const PIXELS = integers("an integer of at least 1", 0);

const MM_PROCESSOR_KWARGS = [
  ...type("object", "max_pixels", 1, true, []),
  ...within(".max_pixels", PIXELS, (max_pixels) => ({ max_pixels })),
  ...within(".min_pixels", PIXELS, (min_pixels) => ({ min_pixels })),
  ...within(".size.longest_edge", PIXELS, (longest_edge) => ({ size: { longest_edge } })),
  ...within(".fps", refusals("unsupported_parameter")("is not supported", 1), (fps) => ({ fps })),
];

const URL_PART = "[0].content[1].image_url.url";
const withPart = (part: unknown) => [
  { role: "user", content: [{ type: "text", text: "Hello" }, part] },
];
const imageUrl = (image_url: unknown) => withPart({ type: "image_url", image_url });

const MESSAGES = [
  ...type("array", "Hello", 1, {}, null),
  ...missing("Missing required parameter: 'messages'", undefined),
  ...value("a value that is not empty", []),
  ...within("[0]", type("object", "Hello", 1, [], null), (message) => [message]),
  ...within("[0].role", type("string", 1, null, []), (role) => [{ role, content: "Hello" }]),
  ...within("[0].role", value("'user'", "wizard", ""), (role) => [{ role, content: "Hello" }]),
  ...within("[0].role", missing("Missing", undefined), () => [{ content: "Hello" }]),
  ...within("[0].content", type("string or array", 1, true, null, {}), (content) => [
    { role: "user", content },
  ]),
  ...within("[0].content", missing("Missing", undefined), () => [{ role: "user" }]),
  ...within("[0].name", STRING, (name) => [{ role: "user", content: "Hello", name }]),
  ...within("[0].content[1]", type("object", "Hello", 1, null), withPart),
  ...within("[0].content[1].type", type("string", 1, null), (type) => withPart({ type })),
  ...within("[0].content[1].type", missing("Missing", undefined), () => withPart({})),
  ...within(
    "[0].content[1]",
    refusals("unsupported_content_part")(
      "only 'text' and 'image_url' are",
      "video_url",
      "file",
      "",
    ),
    (type) => withPart({ type }),
  ),
  ...within("[0].content[1].text", type("string", 1, null, []), (text) =>
    withPart({ type: "text", text }),
  ),
  ...within("[0].content[1].refusal", type("string", 1, null), (refusal) =>
    withPart({ type: "refusal", refusal }),
  ),
  ...within("[0].content[1].image_url", type("object", 1, null), imageUrl),
  ...within(URL_PART, type("string", 1, null), (url) => imageUrl({ url })),
  ...within(URL_PART, value("a value that is not empty", ""), (url) => imageUrl({ url })),
  ...within(URL_PART, missing("Missing", undefined), () => imageUrl({})),
  ...within(
    "[0].content[1].image_url.detail",
    value("one of 'auto', 'low', 'high', 'original'", "most", "", 1, true),
    (detail) => imageUrl({ url: "data:,", detail }),
  ),
  ...within("[0].content[1].image_url.max_pixels", PIXELS, (max_pixels) =>
    imageUrl({ url: "data:,", max_pixels }),
  ),
];

const calls = (call: unknown) => [
  { role: "user", content: "Hello" },
  { role: "assistant", content: null, tool_calls: [call] },
  { role: "user", content: "Hello" },
];
const CALL = { id: "call_1", type: "function", function: { name: "zoom", arguments: "{}" } };

/** Fields of messages with tool calls or reasoning. */
const TOOL_MESSAGES = [
  ...within("[1].tool_calls[0]", type("object", "zoom", 1, null), calls),
  ...within("[1].tool_calls[0].id", type("string", 1, null), (id) => calls({ ...CALL, id })),
  ...within("[1].tool_calls[0].type", value("'function'", "custom", 1), (type) =>
    calls({ ...CALL, type }),
  ),
  ...within("[1].tool_calls[0].function", type("object", "zoom", 1, null), (called) =>
    calls({ ...CALL, function: called }),
  ),
  ...within("[1].tool_calls[0].function.name", type("string", 1, null), (name) =>
    calls({ ...CALL, function: { name, arguments: "{}" } }),
  ),
  ...within("[1].tool_calls[0].function.arguments", type("string", 1, []), (json) =>
    calls({ ...CALL, function: { name: "zoom", arguments: json } }),
  ),
  ...within(
    "[1].tool_calls[0].function.arguments",
    value("the JSON of an object", "{", "[]", "1"),
    (json) => calls({ ...CALL, function: { name: "zoom", arguments: json } }),
  ),
  ...within("[0].tool_call_id", STRING, (tool_call_id) => [
    { role: "tool", content: "1", tool_call_id },
  ]),
  ...within("[0].reasoning_content", STRING, (reasoning_content) => [
    { role: "assistant", content: "Hi", reasoning_content },
  ]),
];

const tool = (given: object) => [{ type: "function", function: { name: "zoom", ...given } }];

const TOOLS = [
  ...type("array", "zoom", 1, {}),
  ...within("[0]", type("object", "zoom", 1, null), (one) => [one]),
  ...within("[0].type", value("'function'", "custom", "", 1), (type) => [
    { type, function: { name: "zoom" } },
  ]),
  ...within("[0].function", type("object", "zoom", 1, null), (given) => [
    { type: "function", function: given },
  ]),
  ...within("[0].function.name", missing("Missing", undefined), (name) => tool({ name })),
  ...within("[0].function.name", type("string", 1, null), (name) => tool({ name })),
  ...within("[0].function.name", value(NAME_RANGE, "", "a b", "ä", "x".repeat(65)), (name) =>
    tool({ name }),
  ),
  ...within("[1].function.name", value("a unique name", "zoom"), () => [...tool({}), ...tool({})]),
  ...within("[0].function.description", STRING, (description) => tool({ description })),
  ...within("[0].function.parameters", type("object", "{}", 1, []), (parameters) =>
    tool({ parameters }),
  ),
  ...within(
    "[0].function.parameters",
    value("a JSON schema whose 'type' is 'object'", { type: "string" }),
    (parameters) => tool({ parameters }),
  ),
  ...within("[0].function.strict", BOOLEAN, (strict) => tool({ strict })),
];

const TOOL_CHOICE = [
  ...value(
    "one of 'none', 'auto', 'required', or an object that names functions",
    ...["some", "", 1, true, []],
  ),
  ...within(".type", value("one of 'function', 'allowed_tools'", "custom", ""), (type) => ({
    type,
  })),
  ...within(".function.name", type("string", 1, null), (name) => ({
    type: "function",
    function: { name },
  })),
  ...within(".allowed_tools.mode", value("one of 'auto', 'required'", "none", 1), (mode) => ({
    type: "allowed_tools",
    allowed_tools: { mode, tools: [] },
  })),
  // The request has no tools.
  ...value("a tool is required, but 'tools' has none", "required", {
    type: "function",
    function: { name: "zoom" },
  }),
];

const EFFORT = [
  ...value(
    "one of 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max', or a number from 0 to 0.99",
    ...["some", "", -0.1, 1, true, [], {}],
  ),
];

const CHAT: Refusals = {
  ...COMMON,
  messages: [...MESSAGES, ...TOOL_MESSAGES],
  tools: TOOLS,
  tool_choice: TOOL_CHOICE,
  parallel_tool_calls: BOOLEAN,
  reasoning_effort: EFFORT,
  separate_reasoning: BOOLEAN,
  max_completion_tokens: COMMON.max_tokens,
  logprobs: BOOLEAN,
  top_logprobs: [
    ...integers("an integer from 0 to 20", -1, 21),
    ...value("0 unless 'logprobs' is true", 5),
  ],
  return_token_ids: BOOLEAN,
  continue_final_message: [
    ...BOOLEAN,
    ...value("the last message to be from the assistant, but it is from the user", true),
  ],
  chat_template_kwargs: type("object", "enable_thinking", 1, true, []),
  mm_processor_kwargs: MM_PROCESSOR_KWARGS,
};

const PROMPT = [
  ...type("string or array", 1, true, null, {}),
  ...missing("Missing required parameter: 'prompt'", undefined),
  ...value("a value that is not empty", []),
  ...value("at least one token", ""),
  ...within("[1]", type("string", 1, null), (prompt) => ["Hello", prompt]),
  ...within("[1]", value("a value that is not empty", []), (ids) => [[5], ids]),
  ...listOfIds(),
  ...within("[0]", listOfIds(), (ids) => [ids]),
  ...value("the vocabulary has no token 99999", [99_999]),
];

const COMPLETION: Refusals = {
  ...COMMON,
  prompt: PROMPT,
  echo: BOOLEAN,
};

const TOKENIZE: Refusals = {
  model: STRING,
  prompt: [
    ...type("string or array", 1, true, null, {}),
    ...missing("Missing required parameter: 'prompt'", undefined),
    ...within("[1]", type("string", 1, null, []), (prompt) => ["Hello", prompt]),
  ],
  add_special_tokens: BOOLEAN,
};

const DETOKENIZE: Refusals = {
  model: STRING,
  tokens: [
    ...type("array", 1, "5", true, null, {}),
    ...missing("Missing required parameter: 'tokens'", undefined),
    ...listOfIds(),
    ...within("[0]", listOfIds(), (ids) => [ids]),
  ],
  skip_special_tokens: BOOLEAN,
};

const HELLO = [{ role: "user", content: "Hello" }];

describe.each<Parameters<typeof testRefusals>>([
  ["chat/completions", chatCompletionRequest, CHAT, { messages: HELLO, max_tokens: 20 }],
  ["completions", completionRequest, COMPLETION, { prompt: "Hello", max_tokens: 20 }],
  ["tokenize", tokenizeRequest, TOKENIZE, { prompt: "Hello" }],
  ["detokenize", detokenizeRequest, DETOKENIZE, { tokens: [5] }],
])("%s", testRefusals);
