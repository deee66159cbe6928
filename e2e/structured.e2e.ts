import addFormats from "ajv-formats";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { Page } from "playwright";
import { beforeAll, describe, expect, test } from "vitest";
import type { ChatCompletion } from "../src/openai/wire.ts";
import { randomSchema } from "../tests/random-schema.ts";
import { random } from "../tests/seeded.ts";
import { openSample } from "./browser.ts";

/** The schemas of all kinds are tested against the grammar, without a model. */
const SCHEMAS = 4;

const ajv = new Ajv2020({ strict: false, ownProperties: true });
addFormats.default(ajv);

let page: Page;
beforeAll(async () => {
  page = await openSample();
});

/** @returns the choices of an answer about an image of a red circle */
async function ask(fields: object): Promise<ChatCompletion["choices"]> {
  const { status, body } = await page.evaluate(async (fields) => {
    const { answer, post } = window.tools;
    const content = [
      { type: "image_url", image_url: { url: "/e2e/goldens/sample/red-circle.png" } },
      { type: "text", text: "What's in this image?" },
    ];
    return answer(await post({ messages: [{ role: "user", content }], ...fields }));
  }, fields);
  expect(status, JSON.stringify(body)).toBe(200);
  return (body as ChatCompletion).choices;
}

function schemaFormat(schema: unknown) {
  return { type: "json_schema", json_schema: { name: "answer", schema, strict: true } };
}

describe("the sample model, at temperature 1", () => {
  test(`gives valid answers to ${SCHEMAS} random schemas`, async () => {
    let cut = 0;
    for (let seed = 0; seed < SCHEMAS; seed++) {
      const schema = randomSchema(random(seed));
      const response_format = schemaFormat(schema);
      const [choice] = await ask({ response_format, temperature: 1, seed, max_tokens: 600 });
      const text = choice?.message.content ?? "";
      if (choice?.finish_reason === "length") {
        cut++;
        continue;
      }
      expect(choice?.finish_reason).toBe("stop");
      const isValid = ajv.validate(schema as object, JSON.parse(text));
      expect(isValid, `${text} for ${JSON.stringify(schema)}: ${ajv.errorsText()}`).toBe(true);
    }
    expect(cut, "answers without an end").toBe(0);
  });

  test("follows a schema, a regular expression and a grammar in each of several choices", async () => {
    const schema = {
      type: "array",
      items: { type: "integer", minimum: 1, maximum: 99 },
      maxItems: 4,
    };
    const lists = await ask({
      response_format: schemaFormat(schema),
      temperature: 1,
      seed: 3,
      n: 3,
    });
    expect(lists).toHaveLength(3);
    for (const { message } of lists) {
      expect(ajv.validate(schema, JSON.parse(message.content ?? ""))).toBe(true);
    }
    const pattern = "(?:red|blue) (?:circle|square)";
    for (const { message } of await ask({ regex: pattern, temperature: 1, seed: 4, n: 3 })) {
      expect(message.content).toMatch(new RegExp(`^${pattern}$`));
    }
    const ebnf = 'root ::= thing ("; " thing){1,2}\nthing ::= [0-9] "x" ("é" | "🐻")';
    for (const { message } of await ask({ ebnf, temperature: 1, seed: 5, n: 3 })) {
      expect(message.content).toMatch(/^\dx[é🐻](; \dx[é🐻]){1,2}$/u);
    }
  });

  test("answers with a JSON object", async () => {
    const response_format = { type: "json_object" };
    for (let seed = 0; seed < 2; seed++) {
      const [choice] = await ask({ response_format, temperature: 1, seed, max_tokens: 100 });
      const text = choice?.message.content ?? "";
      expect(text).toMatch(/^\{/);
      if (choice?.finish_reason === "stop") expect(JSON.parse(text)).toBeTypeOf("object");
    }
  });
});

test("an answer that max_tokens cuts inside its JSON ends with finish_reason length", async () => {
  const schema = {
    type: "object",
    properties: { description: { type: "string", minLength: 200 } },
    required: ["description"],
  };
  const [choice] = await ask({ response_format: schemaFormat(schema), max_tokens: 20, seed: 1 });
  expect(choice).toMatchObject({ finish_reason: "length", matched_stop: null });
  expect(choice?.message.content).toMatch(/^\{"description":/);
  expect(() => JSON.parse(choice?.message.content ?? "") as unknown).toThrow(SyntaxError);
});

test("the greedy answer describes the image", async () => {
  const schema = {
    type: "object",
    properties: {
      color: { enum: ["blue", "green", "red", "yellow"] },
      shape: { enum: ["circle", "square", "star"] },
    },
    required: ["color", "shape"],
  };
  const [choice] = await ask({ response_format: schemaFormat(schema), temperature: 0 });
  expect(choice?.finish_reason).toBe("stop");
  expect(JSON.parse(choice?.message.content ?? "")).toEqual({ color: "red", shape: "circle" });
});

test("a schema that is not supported is refused before the stream begins", async () => {
  const { status, body } = await page.evaluate(
    async (response_format) => {
      const { answer, post } = window.tools;
      const messages = [{ role: "user", content: "Hello" }];
      return answer(await post({ messages, response_format, stream: true }));
    },
    schemaFormat({ type: "array", uniqueItems: true }),
  );
  expect(status).toBe(400);
  expect(body).toMatchObject({
    error: {
      param: "response_format.json_schema.schema",
      code: "invalid_value",
      message:
        "Invalid value for 'response_format.json_schema.schema': " +
        "'uniqueItems' at the top is not supported: it is only for few listed values.",
    },
  });
});
