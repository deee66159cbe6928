import { beforeEach, expect, test } from "vitest";
import { createHandler } from "../src/openai/handler.ts";
import type { ErrorBody } from "../src/openai/wire.ts";
import { ScriptedGenerator, scriptedModel } from "./chat-support.ts";

/** Stands for the number 1e999, which is JSON, but no finite number. */
const HUGE = "the number 1e999";

/** A value that a parameter does not take, and what is told of it. */
export interface Refusal {
  readonly value: unknown;
  readonly code: string;
  /** What the message says was expected. */
  readonly says: string;
  /** The rest of the path of what is wrong. */
  readonly at: string;
}

export const refusals =
  (code: string) =>
  (says: string, ...values: unknown[]): Refusal[] =>
    values.map((value) => ({ value, code, says, at: "" }));
export const type = refusals("invalid_type");
export const value = refusals("invalid_value");
export const missing = refusals("missing_required_parameter");

/** @param put makes the parameter's value of the part's */
export const within = (at: string, rows: readonly Refusal[], put: (value: unknown) => unknown) =>
  rows.map((row) => ({ ...row, value: put(row.value), at: at + row.at }));

/** Of parameters that are booleans, or strings. */
export const BOOLEAN = type("boolean", "true", 1, [], {});
export const STRING = type("string", 1, true, [], {});

/** @param outside numbers that are not in the range */
function numbers(range: string, ...outside: number[]): Refusal[] {
  return [...type(range, "1", true, [1], {}), ...value(range, ...outside, HUGE)];
}

export function integers(range: string, ...outside: number[]): Refusal[] {
  return [...numbers(range, ...outside), ...type(`${range}, but got 1.5 instead`, 1.5)];
}

export function listOfIds(put: (ids: unknown) => unknown = (ids) => ids): Refusal[] {
  return within("[1]", integers("an integer of at least 0", -1), (id) => put([5, id]));
}

/** Of the name of a function, or of a format. */
export const NAME_RANGE = "1 to 64 letters, digits, underscores or hyphens";

const STOP = [
  ...type("string or array", 1, true, {}),
  ...value("a value that is not empty", ""),
  ...value("whole characters", "\uD83D", "a\uDC3B"),
  ...within("[1]", type("string", 1, null, ["a"]), (stop) => ["a", stop]),
  ...within("[1]", value("a value that is not empty", ""), (stop) => ["a", stop]),
];

const JSON_SCHEMA = [
  ...type("string or object", 1, true, []),
  ...value("expected the JSON of a schema", "{", "1", "[]"),
  ...value("", { type: "strin" }),
];

const CHOICE = [
  ...type("array", "left", 1, {}),
  ...within("[1]", type("string", 1, null, ["a"]), (one) => ["left", one]),
];

const REGEX = [
  ...STRING,
  ...value("is invalid", "(", "[b-a]"),
  ...value("has look-ahead after its beginning, which is not supported", "b(?=a)"),
];
const EBNF = [
  ...STRING,
  ...value("line 1, column 10: there is no rule 'other'", "root ::= other"),
  ...value("there is no rule 'root'", 'leaf ::= "a"'),
  ...value("expected a rule", "nothing"),
];

const STRUCTURED_OUTPUTS = [
  ...type("object", "json", 1, true, []),
  ...within(".json", JSON_SCHEMA, (json) => ({ json })),
  ...within(".json_object", BOOLEAN, (json_object) => ({ json_object })),
  ...within(".regex", REGEX, (regex) => ({ regex })),
  ...within(".choice", CHOICE, (choice) => ({ choice })),
  ...within(".grammar", EBNF, (grammar) => ({ grammar })),
  ...within(
    ".whitespace_pattern",
    refusals("unsupported_parameter")("is not supported", " "),
    (given) => ({
      whitespace_pattern: given,
    }),
  ),
];

/** The names of other servers for forms of an answer. */
export const FORMATS = {
  regex: REGEX,
  ebnf: EBNF,
  json_schema: JSON_SCHEMA,
  grammar: EBNF,
  guided_json: JSON_SCHEMA,
  guided_regex: REGEX,
  guided_choice: CHOICE,
  guided_grammar: EBNF,
  structured_outputs: STRUCTURED_OUTPUTS,
};

const LOGIT_BIAS = [
  ...type("object", "5", 1, true, [[5, 1]]),
  ...within(".5", numbers("a number from -100 to 100", -100.5, 100.5), (bias) => ({ "5": bias })),
  ...value("token ids as keys", { cat: 1 }, { "-5": 1 }, { "1.5": 1 }),
  ...value("the vocabulary has no token 99999", { "99999": 1 }),
];

/** Parameters that every endpoint that answers has, for an answer of 20 tokens. */
export const SHARED = {
  model: STRING,
  cache_salt: STRING,
  priority: integers("an integer"),
  temperature: numbers("a number from 0 to 2", -0.01, 2.01),
  top_p: numbers("a number from 0 to 1", -0.01, 1.01),
  top_k: integers("an integer of at least -1", -2),
  min_p: numbers("a number from 0 to 1", -0.01, 1.01),
  seed: numbers(
    "an integer from -9223372036854775808 to 9223372036854775807",
    ...[0.5, -1e19, 1e19],
  ),
  frequency_penalty: numbers("a number from -2 to 2", -2.01, 2.01),
  presence_penalty: numbers("a number from -2 to 2", -2.01, 2.01),
  repetition_penalty: numbers("a number greater than 0, at most 2", 0, -1, 2.01),
  repeat_penalty: numbers("a number greater than 0, at most 2", 0, -1, 2.01),
  logit_bias: LOGIT_BIAS,
  min_tokens: [
    ...integers("an integer of at least 0", -1),
    ...value("an integer from 0 to 20, the maximum length of this answer", 21),
  ],
  stop: STOP,
  stop_token_ids: [...type("array", 5, "5", {}), ...listOfIds()],
  ignore_eos: BOOLEAN,
  no_stop_trim: BOOLEAN,
  include_stop_str_in_output: BOOLEAN,
  skip_special_tokens: BOOLEAN,
  stream: BOOLEAN,
};

/** Values by parameter. */
export type Refusals = Readonly<Record<string, readonly Refusal[]>>;

const EOS = 1023;

/**
 * Declares the tests of an endpoint: that the table has all of its parameters, and that each of
 * the values is a 400 which tells the path and the range, before anything is asked of the model.
 *
 * @param schema of the body
 * @param good a body that is taken
 */
export function testRefusals(
  path: string,
  schema: { readonly shape: object },
  table: Refusals,
  good: object,
): void {
  let generator = new ScriptedGenerator();
  const chat = scriptedModel({
    contextLength: 2048,
    generate: (input) => generator.generate(input),
  });
  const model = { id: "org/sample", created: 0, fingerprint: "fp_test", chat };
  const handle = createHandler({ model: () => model });
  beforeEach(() => {
    generator = new ScriptedGenerator([EOS]);
  });
  const post = (body: object) =>
    handle(
      new Request(`http://page.test/v1/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body).replaceAll(JSON.stringify(HUGE), "1e999"),
      }),
    );

  test("the table has every parameter", () => {
    expect(Object.keys(table).sort()).toEqual(Object.keys(schema.shape).sort());
    for (const rows of Object.values(table)) expect(rows.length).toBeGreaterThan(2);
  });

  test("what is not wrong is taken", async () => {
    expect((await post(good)).status).toBe(200);
  });

  test.each(Object.entries(table))("%s", async (name, rows) => {
    for (const { value, code, says, at } of rows) {
      const shown = `${name}: ${JSON.stringify(value)}`;
      const response = await post({ ...good, [name]: value });
      expect.soft(response.status, shown).toBe(400);
      expect.soft(response.headers.get("x-should-retry"), shown).toBe("false");
      const { error } = (await response.json()) as ErrorBody;
      const param = name + at;
      expect.soft(error, shown).toMatchObject({ type: "invalid_request_error", code, param });
      expect.soft(error.message, shown).toContain(says);
      const named = code === "unsupported_content_part" ? "" : `'${param}'`;
      expect.soft(error.message, shown).toContain(named);
    }
    expect(generator.inputs).toEqual([]);
  });
}
