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

/** The format that an answer must match, and the path of the field that asks for it. */
export interface RequestedFormat {
  readonly format: AnswerFormat;
  readonly path: string;
}

/**
 * The format that a request asks for. An empty string asks for none.
 *
 * @throws OpenAIError for more than one format, or for a schema that is not JSON
 */
export function requestedFormat(
  body: Pick<CompletionRequest, "response_format" | "regex" | "ebnf" | "json_schema">,
): RequestedFormat | undefined {
  const { response_format, regex, ebnf, json_schema } = body;
  const formats: RequestedFormat[] = [];
  if (response_format?.type === "json_object") {
    formats.push({ format: { type: "json_object" }, path: "response_format" });
  }
  if (response_format?.type === "json_schema") {
    const { schema } = response_format.json_schema;
    const path = "response_format.json_schema.schema";
    formats.push({ format: { type: "json_schema", schema }, path });
  }
  if (json_schema) {
    const format: AnswerFormat = { type: "json_schema", schema: schemaOf(json_schema) };
    formats.push({ format, path: "json_schema" });
  }
  if (regex) formats.push({ format: { type: "regex", pattern: regex }, path: "regex" });
  if (ebnf) formats.push({ format: { type: "ebnf", grammar: ebnf }, path: "ebnf" });
  const [format, another] = formats;
  if (format && another) {
    const [first, param] = [format, another].map(({ path }) => path.split(".")[0]);
    const message = `Invalid value for '${param}': it can't be combined with '${first}'.`;
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
    // reported below
  }
  if (typeof schema === "boolean") return schema;
  if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) {
    return schema as JsonSchema;
  }
  const message = "Invalid value for 'json_schema': expected the JSON of a schema.";
  throw new OpenAIError(400, message, { code: "invalid_value", param: "json_schema" });
}
