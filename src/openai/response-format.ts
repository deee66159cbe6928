import type { AnswerFormat, JsonSchema } from "../chat/format.ts";
import { OpenAIError } from "./errors.ts";
import type { TextConfig } from "./responses-wire.ts";
import type { FormatFields } from "./wire.ts";

/** The format that an answer must match, and the path of the field that asks for it. */
export interface RequestedFormat {
  readonly format: AnswerFormat;
  readonly path: string;
}

/**
 * The format that a request for a completion asks for, by any of its names. An empty text or list asks
 * for none.
 *
 * @throws OpenAIError for more than one format, or for a schema that is not JSON
 */
export function requestedFormat(body: FormatFields): RequestedFormat | undefined {
  return onlyFormat(ofResponseFormat(body.response_format), body);
}

/** `requestedFormat` for a request for a response, where `text.format` takes `response_format`'s place. */
export function requestedTextFormat(
  body: Omit<FormatFields, "response_format"> & { readonly text: TextConfig },
): RequestedFormat | undefined {
  const { format } = body.text;
  if (format.type === "text") return onlyFormat(undefined, body);
  if (format.type === "json_object") return onlyFormat(jsonObject("text.format"), body);
  return onlyFormat(namedSchema(format, "text.format.schema"), body);
}

/** @param openAI the format that OpenAI's own field asks for */
function onlyFormat(
  openAI: RequestedFormat | undefined,
  body: Omit<FormatFields, "response_format">,
): RequestedFormat | undefined {
  const vllm = body.structured_outputs;
  const [format, another] = [
    openAI,
    schemaFormat(body.json_schema, "json_schema"),
    regexFormat(body.regex, "regex"),
    grammarFormat(body.ebnf, "ebnf"),
    grammarFormat(body.grammar, "grammar"),
    schemaFormat(body.guided_json, "guided_json"),
    regexFormat(body.guided_regex, "guided_regex"),
    choiceFormat(body.guided_choice, "guided_choice"),
    grammarFormat(body.guided_grammar, "guided_grammar"),
    schemaFormat(vllm?.json, "structured_outputs.json"),
    vllm?.json_object ? jsonObject("structured_outputs.json_object") : undefined,
    regexFormat(vllm?.regex, "structured_outputs.regex"),
    choiceFormat(vllm?.choice, "structured_outputs.choice"),
    grammarFormat(vllm?.grammar, "structured_outputs.grammar"),
  ].filter((format) => format !== undefined);
  if (format && another) {
    const [first, param] = [format, another].map(({ path }) =>
      path.replace(/^(response_format|text\.format)\..*/, "$1"),
    );
    const message = `Invalid value for '${param}': it can't be combined with '${first}'.`;
    throw new OpenAIError(400, message, { code: "invalid_value", param });
  }
  return format;
}

function ofResponseFormat(format: FormatFields["response_format"]): RequestedFormat | undefined {
  if (!format || format.type === "text") return undefined;
  if ("json_schema" in format) {
    return namedSchema(format.json_schema, "response_format.json_schema.schema");
  }
  if (format.schema) return schemaFormat(format.schema, "response_format.schema");
  return jsonObject("response_format");
}

function namedSchema(
  { schema, strict }: { readonly schema: JsonSchema; readonly strict?: boolean | null },
  path: string,
): RequestedFormat {
  return { format: { type: "json_schema", schema, strict: strict ?? false }, path };
}

function jsonObject(path: string): RequestedFormat {
  return { format: { type: "json_object" }, path };
}

function schemaFormat(
  value: string | Record<string, unknown> | null | undefined,
  path: string,
): RequestedFormat | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  return { format: { type: "json_schema", schema: schemaOf(value, path), strict: false }, path };
}

function regexFormat(pattern: string | null | undefined, path: string) {
  return pattern ? { format: { type: "regex" as const, pattern }, path } : undefined;
}

function grammarFormat(grammar: string | null | undefined, path: string) {
  return grammar ? { format: { type: "ebnf" as const, grammar }, path } : undefined;
}

function choiceFormat(
  choices: readonly string[] | null | undefined,
  path: string,
): RequestedFormat | undefined {
  if (!choices || choices.length === 0) return undefined;
  const elements = choices.map((value) => ({ type: "const_string" as const, value }));
  return { format: { type: "structural_tag", format: { type: "or", elements } }, path };
}

function schemaOf(value: string | Record<string, unknown>, path: string): JsonSchema {
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
  const message = `Invalid value for '${path}': expected the JSON of a schema.`;
  throw new OpenAIError(400, message, { code: "invalid_value", param: path });
}
