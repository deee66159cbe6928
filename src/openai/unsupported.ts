import { OpenAIError } from "./errors.ts";

/**
 * Unsupported fields that would change the answer, each with a check for values that ask for nothing.
 * To implement a field, delete its line.
 */
export const UNSUPPORTED_CHAT_FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  functions: isEmpty,
  function_call: (value) => value === "none" || value === "auto",
  stop_regex: isEmpty,
  input_ids: isEmpty,
  lora_path: isEmpty,
};

/**
 * Refuses unsupported fields in a body of the right shape.
 *
 * @throws OpenAIError, `unsupported_parameter`, for the first such field
 */
export function refuseUnsupported(body: Readonly<Record<string, unknown>>): void {
  refuseFields(body, UNSUPPORTED_CHAT_FIELDS);
  // The model would not see these calls.
  for (const [i, message] of (body.messages as Record<string, unknown>[]).entries()) {
    const value = message.function_call;
    if (value === undefined || value === null || isEmpty(value)) continue;
    throw unsupported(`messages[${i}].function_call`);
  }
}

/**
 * @param fields for each field, whether a value asks for nothing
 * @throws OpenAIError, `unsupported_parameter`, for the first field whose value asks for something
 */
export function refuseFields(
  body: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, (value: unknown) => boolean>>,
): void {
  for (const [param, asksForNothing] of Object.entries(fields)) {
    const value = body[param];
    if (value === undefined || value === null || asksForNothing(value)) continue;
    throw unsupported(param);
  }
}

function unsupported(param: string): OpenAIError {
  const message = `'${param}' is not supported yet.`;
  return new OpenAIError(400, message, { code: "unsupported_parameter", param });
}

export function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null
    ? Object.keys(value).length === 0
    : value === "" || value === false;
}
