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
  missing,
  refusals,
  testRefusals,
  type,
  value,
  within,
} from "../../tests/refusals.ts";
import { responseRequest } from "./responses-request.ts";

const withPart = (part: unknown) => [{ role: "user", content: [part] }];
const inputImage = (image: object) => withPart({ type: "input_image", ...image });
const unsupported = refusals("unsupported_content_part");

const INPUT = [
  ...type("string or array", 1, true, {}),
  ...missing("Missing", undefined),
  ...value("a value that is not empty", []),
  ...within("[0]", type("object", "Hello", 1, null), (item) => [item]),
  ...within("[0].type", value("'function_call'", "web_search_call", ""), (type) => [{ type }]),
  ...within("[0].role", value("'user'", "tool", "wizard"), (role) => [{ role, content: "" }]),
  ...within("[0].role", missing("Missing", undefined), () => [{ content: "" }]),
  ...within("[0].content", type("string or array", 1, null, {}), (content) => [
    { role: "user", content },
  ]),
  ...within("[0].content[0]", type("object", "Hello", 1, null), withPart),
  ...within("[0].content[0]", unsupported("'input_image'", "input_file", "image_url"), (type) =>
    withPart({ type }),
  ),
  ...within("[0].content[0].text", type("string", 1, null), (text) =>
    withPart({ type: "input_text", text }),
  ),
  ...within("[0].content[0].image_url", type("string", 1, {}), (image_url) =>
    inputImage({ image_url }),
  ),
  ...within("[0].content[0].detail", value("'auto', 'low', 'high'", "most", 1), (detail) =>
    inputImage({ image_url: "data:,", detail }),
  ),
  ...within("[0].call_id", missing("Missing", undefined), () => [
    { type: "function_call", name: "zoom", arguments: "{}" },
  ]),
  ...within("[0].arguments", value("the JSON of an object", "{", "[]"), (json) => [
    { type: "function_call", call_id: "c", name: "zoom", arguments: json },
  ]),
];

const withFormat = (format: unknown) => ({ format });
const jsonSchema = (at: string, rows: readonly Refusal[], put: (value: unknown) => object) =>
  within(`.format${at}`, rows, (value) => withFormat({ type: "json_schema", ...put(value) }));

const TEXT = [
  ...type("object", "text", 1, true, []),
  ...within(".verbosity", value("one of 'low', 'medium', 'high'", "some", 1), (verbosity) => ({
    verbosity,
  })),
  ...within(".format", type("object", "json", 1, []), withFormat),
  ...within(
    ".format.type",
    value("one of 'text', 'json_object', 'json_schema'", "xml", 1),
    (type) => withFormat({ type }),
  ),
  ...jsonSchema(".name", value(NAME_RANGE, "", "a b"), (name) => ({ name, schema: {} })),
  ...jsonSchema(".name", missing("Missing", undefined), () => ({ schema: {} })),
  ...jsonSchema(".schema", missing("Missing", undefined), () => ({ name: "a" })),
  ...jsonSchema(".schema", type("object", "{}", 1, []), (schema) => ({ name: "a", schema })),
  ...jsonSchema(".schema", value("", { type: "strin" }), (schema) => ({ name: "a", schema })),
  ...jsonSchema(".strict", BOOLEAN, (strict) => ({ name: "a", schema: {}, strict })),
  ...jsonSchema(".description", STRING, (description) => ({ name: "a", schema: {}, description })),
];

const tool = (given: object) => [{ type: "function", name: "zoom", ...given }];

const TOOLS = [
  ...type("array", "zoom", 1, {}),
  ...within("[0]", type("object", "zoom", 1, null), (one) => [one]),
  ...within("[0].type", value("'function'", "web_search", 1), (type) => tool({ type })),
  ...within("[0].name", missing("Missing", undefined), (name) => tool({ name })),
  ...within("[0].name", type("string", 1, null), (name) => tool({ name })),
  ...within("[0].name", value(NAME_RANGE, "", "a b", "x".repeat(65)), (name) => tool({ name })),
  ...within("[1].name", value("a unique name", "zoom"), () => [...tool({}), ...tool({})]),
  ...within("[0].description", STRING, (description) => tool({ description })),
  ...within("[0].parameters", type("object", "{}", 1, []), (parameters) => tool({ parameters })),
  ...within(
    "[0].parameters",
    value("a JSON schema whose 'type' is 'object'", { type: "string" }),
    (parameters) => tool({ parameters }),
  ),
  ...within("[0].strict", BOOLEAN, (strict) => tool({ strict })),
];

const TOOL_CHOICE = [
  ...value("one of 'none', 'auto', 'required', or an object", "some", 1, true, []),
  ...value("'auto' or 'none' without 'tools'", "required"),
  ...within(".type", value("'function', 'allowed_tools'", "file_search"), (type) => ({ type })),
  ...within(".name", missing("Missing", undefined), () => ({ type: "function" })),
  ...within(".name", value("the name of one of 'tools'", "turn"), (name) => ({
    type: "function",
    name,
  })),
  ...within(".mode", value("'auto', 'required'", "none"), (mode) => ({
    type: "allowed_tools",
    mode,
    tools: tool({}),
  })),
];

const EFFORTS = "one of 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'";

const RESPONSE: Refusals = {
  ...SHARED,
  input: INPUT,
  instructions: STRING,
  previous_response_id: STRING,
  max_output_tokens: integers("an integer of at least 1, or -1", 0, -2),
  top_logprobs: integers("an integer from 0 to 20", -1, 21),
  include: [
    ...type("array", "message.output_text.logprobs", 1, {}),
    ...within("[0]", value("'message.output_text.logprobs'", "all", "", 1), (what) => [what]),
  ],
  stream_options: [
    ...type("object", true, "include_usage", 1, []),
    ...within(".include_obfuscation", BOOLEAN, (given) => ({ include_obfuscation: given })),
  ],
  store: BOOLEAN,
  text: TEXT,
  tools: TOOLS,
  tool_choice: TOOL_CHOICE,
  parallel_tool_calls: BOOLEAN,
  reasoning: [
    ...type("object", "low", 1, true, []),
    ...within(".effort", value(EFFORTS, "some", 1), (effort) => ({ effort })),
    ...within(".summary", value("one of 'auto', 'concise', 'detailed'", "some", 1), (summary) => ({
      summary,
    })),
  ],
  metadata: [
    ...type("object", "a", 1, true, []),
    ...within(".a", type("a string of at most 512 characters", 1, null), (a) => ({ a })),
    ...within(".a", value("a string of at most 512 characters", "x".repeat(513)), (a) => ({ a })),
    ...value("at most 16 pairs, with keys of at most 64 characters", { ["x".repeat(65)]: "" }),
  ],
  truncation: value("one of 'auto', 'disabled'", "middle", "", 1),
  user: STRING,
  safety_identifier: STRING,
  prompt_cache_key: STRING,
  chat_template_kwargs: type("object", "enable_thinking", 1, true, []),
  ...FORMATS,
};

describe.each<Parameters<typeof testRefusals>>([
  ["responses", responseRequest, RESPONSE, { input: "Hello", max_output_tokens: 20 }],
])("%s", testRefusals);
