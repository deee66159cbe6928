import { beforeEach, describe, expect, test } from "vitest";
import { scriptedModel } from "../../tests/chat-support.ts";
import { ConstrainedGenerator } from "../../tests/constrained-generator.ts";
import { createHandler } from "./handler.ts";
import type { ChatCompletion, Completion, ErrorBody } from "./wire.ts";

const V = 1024;

let generator = new ConstrainedGenerator(V);
const chat = scriptedModel({
  contextLength: 2048,
  generate: (input) => generator.generate(input),
});
const model = { id: "org/sample", created: 0, fingerprint: "fp_test", chat };
const handle = createHandler({ model: () => model });

/** The text that the model prefers. */
function says(text: string): void {
  const ids = chat.tokenizer.encode(text, { addSpecialTokens: false });
  generator = new ConstrainedGenerator(V, ids);
}

beforeEach(() => says("It is a cat."));

const PROMPTS = {
  "chat/completions": { messages: [{ role: "user", content: "Hello" }] },
  completions: { prompt: "Hello" },
};
type Path = keyof typeof PROMPTS;
const PATHS = Object.keys(PROMPTS) as Path[];

const post = (path: Path, fields: object) =>
  handle(
    new Request(`http://page.test/v1/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...PROMPTS[path], max_tokens: 100, ...fields }),
    }),
  );

async function said(path: Path, fields: object): Promise<string> {
  const response = await post(path, fields);
  expect(response.status).toBe(200);
  const { choices } = (await response.json()) as ChatCompletion | Completion;
  const [choice] = choices;
  expect(choice?.finish_reason).toBe("stop");
  return choice && "message" in choice ? (choice.message.content ?? "") : (choice?.text ?? "");
}

async function refusal(path: Path, fields: object): Promise<ErrorBody["error"]> {
  const response = await post(path, fields);
  expect(response.status).toBe(400);
  expect(response.headers.get("content-type")).toContain("application/json");
  expect(generator.inputs).toEqual([]);
  return ((await response.json()) as ErrorBody).error;
}

const schema = {
  type: "object",
  properties: {
    animal: { enum: ["cat", "dog"] },
    legs: { type: "integer", minimum: 1, maximum: 9 },
  },
  required: ["animal", "legs"],
  additionalProperties: false,
};
const json_schema = { name: "animal", schema };

describe.each(PATHS)("%s", (path) => {
  test.each([undefined, null, true, false])(
    "with strict %s: the schema decides",
    async (strict) => {
      says('{"animal": "dog", "legs": 4}');
      const response_format = { type: "json_schema", json_schema: { ...json_schema, strict } };
      expect(await said(path, { response_format })).toBe('{"animal": "dog", "legs": 4}');
      says("A dog has four legs.");
      expect(JSON.parse(await said(path, { response_format }))).toEqual({ animal: "cat", legs: 1 });
    },
  );

  test("a JSON object", async () => {
    says('{"it":["is"]}');
    const response_format = { type: "json_object" };
    expect(await said(path, { response_format })).toBe('{"it":["is"]}');
    says("[1]");
    const response = await post(path, { response_format, max_tokens: 1 });
    expect(await response.text()).toMatch(/"(content|text)":"\{/);
  });

  test("a regular expression", async () => {
    says("cats");
    expect(await said(path, { regex: "(cat|dog)s" })).toBe("cats");
    says("horses");
    expect(await said(path, { regex: "(cat|dog)s" })).toMatch(/^(cat|dog)s$/);
  });

  test("a grammar", async () => {
    const ebnf = 'root ::= pair+\npair ::= "<" [0-9] ">"';
    says("<1><2>");
    expect(await said(path, { ebnf })).toBe("<1><2>");
    says("1, 2");
    expect(await said(path, { ebnf })).toMatch(/^(<\d>)+$/);
  });

  test("no format", async () => {
    for (const nothing of [
      { response_format: { type: "text" } },
      { response_format: null, regex: null, ebnf: null },
      { regex: "", ebnf: "" },
    ]) {
      says("It is a cat.");
      expect(await said(path, nothing)).toBe("It is a cat.");
      expect(generator.inputs[0]?.constraint).toBeUndefined();
    }
  });

  test("a format that max_tokens cuts off", async () => {
    says('{"animal": "dog", "legs": 4}');
    const response_format = { type: "json_schema", json_schema };
    const response = await post(path, { response_format, max_tokens: 4 });
    const { choices } = (await response.json()) as ChatCompletion;
    expect(choices[0]).toMatchObject({ finish_reason: "length", matched_stop: null });
  });

  test.each<[object, string, string]>([
    [{ response_format: {} }, "response_format.type", "Missing required parameter"],
    [{ response_format: "json" }, "response_format", "Invalid type"],
    [
      { response_format: { type: "xml" } },
      "response_format.type",
      "one of 'text', 'json_object', 'json_schema'",
    ],
    [
      { response_format: { type: "json_schema" } },
      "response_format.json_schema",
      "Missing required parameter",
    ],
    [
      { response_format: { type: "json_schema", json_schema: { schema } } },
      "response_format.json_schema.name",
      "Missing required parameter",
    ],
    [
      { response_format: { type: "json_schema", json_schema: { name: "a b", schema } } },
      "response_format.json_schema.name",
      "1 to 64 letters, digits, underscores or hyphens",
    ],
    [
      { response_format: { type: "json_schema", json_schema: { name: "a" } } },
      "response_format.json_schema.schema",
      "Missing required parameter",
    ],
    [
      { response_format: { type: "json_schema", json_schema: { name: "a", schema: [] } } },
      "response_format.json_schema.schema",
      "expected object, but got array",
    ],
    [
      {
        response_format: {
          type: "json_schema",
          json_schema: { name: "a", schema: { not: { type: "null" } }, strict: true },
        },
      },
      "response_format.json_schema.schema",
      "Invalid value for 'response_format.json_schema.schema': 'not' at the top is not supported.",
    ],
    [{ regex: 5 }, "regex", "expected string, but got number"],
    [{ regex: "(a" }, "regex", "the expression (a is invalid: Unterminated group."],
    [{ regex: "a(?=b)" }, "regex", "has look-ahead after its beginning, which is not supported."],
    [{ ebnf: "root ::= a" }, "ebnf", "line 1, column 10: there is no rule 'a'."],
    [{ regex: "a", ebnf: 'root ::= "a"' }, "ebnf", "it can't be combined with 'regex'"],
    [
      { response_format: { type: "json_object" }, regex: "a" },
      "regex",
      "it can't be combined with 'response_format'",
    ],
  ])("%j is refused", async (fields, param, message) => {
    for (const stream of [false, true]) {
      const error = await refusal(path, { ...fields, stream });
      expect(error).toMatchObject({ type: "invalid_request_error", param });
      expect(error.message).toContain(message);
    }
  });
});

describe("completions' json_schema", () => {
  test.each([schema, JSON.stringify(schema)])(
    "is a schema, or its JSON: %j",
    async (json_schema) => {
      says('{"animal":"dog","legs":4}');
      expect(await said("completions", { json_schema })).toBe('{"animal":"dog","legs":4}');
      says("A dog");
      expect(JSON.parse(await said("completions", { json_schema }))).toMatchObject({ legs: 1 });
    },
  );

  test.each(["{", "[]", "1", "null"])("%s is refused", async (json_schema) => {
    const { param, message } = await refusal("completions", { json_schema });
    expect([param, message]).toEqual([
      "json_schema",
      "Invalid value for 'json_schema': expected the JSON of a schema.",
    ]);
  });
});
