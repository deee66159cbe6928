import * as z from "zod/mini";
import type { AnswerFormat, JsonSchema } from "../chat/format.ts";
import { OpenAIError } from "./errors.ts";
import { functionName } from "./tools.ts";
import type { CompletionRequest, ResponseFormat } from "./wire.ts";

const jsonSchema = z.object({
  name: functionName,
  description: z.nullish(z.string()),
  schema: z.record(z.string(), z.unknown()),
  strict: z.nullish(z.boolean()),
});

export const responseFormat = z.pipe(
  z
    .object({
      type: z.enum(["text", "json_object", "json_schema"]),
      json_schema: z.optional(z.unknown()),
    })
    .check((context) => {
      const { type, json_schema } = context.value;
      if (type !== "json_schema") return;
      const { error } = jsonSchema.safeParse(json_schema, { error: () => "" });
      for (const issue of error?.issues ?? []) {
        const path = ["json_schema", ...issue.path];
        context.issues.push({ ...issue, path } as z.core.$ZodRawIssue);
      }
    }),
  z.transform((format) => format as ResponseFormat),
);

type Formats = Pick<CompletionRequest, "response_format" | "regex" | "ebnf" | "json_schema">;

/**
 * What a request's answer must match; an empty string asks for nothing.
 *
 * @throws OpenAIError when it asks for more than one thing, or for a schema that is not JSON
 */
export function answerFormat(body: Formats): AnswerFormat | undefined {
  const { response_format, regex, ebnf, json_schema } = body;
  const formats: AnswerFormat[] = [];
  if (response_format?.type === "json_object") {
    formats.push({ type: "json_object", param: "response_format" });
  }
  if (response_format?.type === "json_schema") {
    const { schema } = response_format.json_schema;
    formats.push({ type: "json_schema", schema, param: "response_format.json_schema.schema" });
  }
  if (json_schema) {
    formats.push({ type: "json_schema", schema: schemaOf(json_schema), param: "json_schema" });
  }
  if (regex) formats.push({ type: "regex", pattern: regex, param: "regex" });
  if (ebnf) formats.push({ type: "ebnf", grammar: ebnf, param: "ebnf" });
  const [format, another] = formats;
  if (format && another) {
    const [first, param] = [format, another].map(({ param }) => (param as string).split(".")[0]);
    const message = `Invalid value for '${param}': an answer can't be asked to match '${first}' too.`;
    throw new OpenAIError(400, message, { code: "invalid_value", param });
  }
  return format;
}

function schemaOf(value: string | Record<string, unknown>): JsonSchema {
  if (typeof value !== "string") return value;
  let schema: unknown;
  try {
    schema = JSON.parse(value);
  } catch {
    // told below
  }
  if (typeof schema === "boolean") return schema;
  if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) {
    return schema as JsonSchema;
  }
  const message = "Invalid value for 'json_schema': expected the JSON of a schema.";
  throw new OpenAIError(400, message, { code: "invalid_value", param: "json_schema" });
}
