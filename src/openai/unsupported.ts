import { OpenAIError } from "./errors.ts";

/**
 * Fields that would change the answer and are not implemented, with the values that ask for
 * nothing. To implement a field, take its line away.
 */
const UNSUPPORTED: Readonly<Record<string, (value: unknown) => boolean>> = {
  tools: isEmpty,
  tool_choice: (value) => value === "none" || value === "auto",
  functions: isEmpty,
  function_call: (value) => value === "none" || value === "auto",
  response_format: (value) => (value as { type?: unknown }).type === "text",
  regex: isEmpty,
  ebnf: isEmpty,
  logprobs: (value) => value === false,
  top_logprobs: (value) => value === 0,
  logit_bias: isEmpty,
  frequency_penalty: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  repetition_penalty: (value) => value === 1,
  min_tokens: (value) => value === 0,
  continue_final_message: (value) => value === false,
  stop_regex: isEmpty,
  no_stop_trim: (value) => value === false,
  input_ids: isEmpty,
  lora_path: isEmpty,
};

/**
 * Refuses what can't be honoured in a body of the right shape.
 *
 * @throws OpenAIError, `unsupported_parameter` for the first such field or `invalid_value` for `n`
 */
export function refuseUnsupported(body: Readonly<Record<string, unknown>>): void {
  if (typeof body.n === "number" && body.n > 1) {
    const message = `Invalid value for 'n': only 1 is supported yet, but got ${body.n} instead.`;
    throw new OpenAIError(400, message, { code: "invalid_value", param: "n" });
  }
  for (const [param, asksNothing] of Object.entries(UNSUPPORTED)) {
    const value = body[param];
    if (value === undefined || value === null || asksNothing(value)) continue;
    throw unsupported(param);
  }
  // A conversation with tool calls would reach the model without them.
  for (const [i, message] of (body.messages as Record<string, unknown>[]).entries()) {
    for (const field of ["tool_calls", "function_call"]) {
      const value = message[field];
      if (value === undefined || value === null || isEmpty(value)) continue;
      throw unsupported(`messages[${i}].${field}`);
    }
  }
}

function unsupported(param: string): OpenAIError {
  const message = `'${param}' is not supported yet.`;
  return new OpenAIError(400, message, { code: "unsupported_parameter", param });
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null
    ? Object.keys(value).length === 0
    : value === "" || value === false;
}
