import * as z from "zod/mini";
import { functionName } from "./tools.ts";
import type { ResponseFormat } from "./wire.ts";

/** A JSON schema, or its JSON. */
const schema = z.union([z.string(), z.record(z.string(), z.unknown())]);

const choices = z.array(z.string());

const namedSchema = z.object({
  name: functionName,
  description: z.nullish(z.string()),
  schema: z.record(z.string(), z.unknown()),
  strict: z.nullish(z.boolean()),
});

const responseFormat = z.pipe(
  z
    .object({
      type: z.enum(["text", "json_object", "json_schema"]),
      json_schema: z.optional(z.unknown()),
      schema: z.nullish(z.record(z.string(), z.unknown())),
    })
    .check((context) => {
      const { type, json_schema, schema } = context.value;
      if (type !== "json_schema" || (schema && json_schema === undefined)) return;
      const { error } = namedSchema.safeParse(json_schema, { error: () => "" });
      for (const issue of error?.issues ?? []) {
        const path = ["json_schema", ...issue.path];
        context.issues.push({ ...issue, path } as z.core.$ZodRawIssue);
      }
    }),
  z.transform((format) => format as ResponseFormat),
);

/** The fields of other servers that ask for a form of the answer. */
export const textFormatFields = {
  // SGLang
  regex: z.nullish(z.string()),
  ebnf: z.nullish(z.string()),
  // llama.cpp, and SGLang's completions
  json_schema: z.nullish(schema),
  grammar: z.nullish(z.string()),
  // vLLM
  guided_json: z.nullish(schema),
  guided_regex: z.nullish(z.string()),
  guided_choice: z.nullish(choices),
  guided_grammar: z.nullish(z.string()),
  structured_outputs: z.nullish(
    z.object({
      json: z.nullish(schema),
      json_object: z.nullish(z.boolean()),
      regex: z.nullish(z.string()),
      choice: z.nullish(choices),
      grammar: z.nullish(z.string()),
    }),
  ),
};

/** The fields of completions that ask for a form of the answer. */
export const formatFields = { response_format: z.nullish(responseFormat), ...textFormatFields };
