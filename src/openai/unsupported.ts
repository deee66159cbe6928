import { OpenAIError } from "./errors.ts";

type Body = Readonly<Record<string, unknown>>;

/** Fields, each with a check for values that ask for nothing. */
type Refused = Readonly<Record<string, (value: unknown, body?: Body) => boolean>>;

/**
 * Fields of other servers that would change any kind of answer, and are not supported. To implement a
 * field, delete its line.
 */
const UNSUPPORTED_ANSWER_FIELDS: Refused = {
  stop_regex: isEmpty,
  input_ids: isEmpty,
  lora_path: isEmpty,
  // vLLM
  use_beam_search: isEmpty,
  best_of: only(1),
  length_penalty: only(1),
  prompt_logprobs: isEmpty,
  truncate_prompt_tokens: isEmpty,
  allowed_token_ids: isEmpty,
  bad_words: isEmpty,
  logits_processors: isEmpty,
  guided_whitespace_pattern: isEmpty,
  thinking_token_budget: () => false,
  // llama.cpp
  n_predict: only(-1),
  n_probs: only(0),
  n_keep: only(0),
  typical_p: only(1),
  mirostat: only(0),
  dynatemp_range: only(0),
  xtc_probability: only(0),
  dry_multiplier: only(0),
  top_n_sigma: only(-1, 0),
  samplers: isEmpty,
  lora: isEmpty,
  // SGLang
  custom_logit_processor: isEmpty,
  return_hidden_states: isEmpty,
  session_params: isEmpty,
};

/** Such fields of chat completions. */
export const UNSUPPORTED_CHAT_FIELDS: Refused = {
  functions: isEmpty,
  function_call: only("none", "auto"),
  modalities: (value) => JSON.stringify(value) === '["text"]' || isEmpty(value),
  audio: isEmpty,
  web_search_options: () => false,
  chat_template: isEmpty,
  documents: isEmpty,
  echo: isEmpty,
  // vLLM wants `false` beside `continue_final_message`, which means the same here without it.
  add_generation_prompt: (value, body) => value === true || body?.continue_final_message === true,
  add_special_tokens: isEmpty,
  media_io_kwargs: isEmpty,
  ...UNSUPPORTED_ANSWER_FIELDS,
};

/** Such fields of text completions. */
export const UNSUPPORTED_COMPLETION_FIELDS: Refused = {
  suffix: isEmpty,
  logprobs: () => false,
  add_special_tokens: only(true),
  prompt_embeds: isEmpty,
  ...UNSUPPORTED_ANSWER_FIELDS,
};

/** Such fields of responses. */
export const UNSUPPORTED_RESPONSE_FIELDS: Refused = {
  background: isEmpty,
  conversation: () => false,
  prompt: () => false,
  context_management: isEmpty,
  n: only(1),
  ...UNSUPPORTED_ANSWER_FIELDS,
};

/** The members of objects in a chat completion that are supported, by the path of the object. */
const SUPPORTED_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  structured_outputs: ["json", "json_object", "regex", "choice", "grammar"],
  mm_processor_kwargs: ["min_pixels", "max_pixels", "size"],
};

/**
 * Refuses unsupported fields in a body of the right shape.
 *
 * @throws OpenAIError, `unsupported_parameter`, for the first such field
 */
export function refuseUnsupported(body: Body): void {
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
export function refuseFields(body: Body, fields: Refused): void {
  for (const [param, asksForNothing] of Object.entries(fields)) {
    const value = body[param];
    if (value === undefined || value === null || asksForNothing(value, body)) continue;
    throw unsupported(param);
  }
  for (const [param, members] of Object.entries(SUPPORTED_MEMBERS)) {
    for (const [member, value] of Object.entries(Object(body[param]) as object)) {
      if (members.includes(member) || value === null || isEmpty(value)) continue;
      throw unsupported(`${param}.${member}`);
    }
  }
}

function unsupported(param: string): OpenAIError {
  const message = `'${param}' is not supported yet.`;
  return new OpenAIError(400, message, { code: "unsupported_parameter", param });
}

/** A check for some values. */
function only(...values: readonly unknown[]): (value: unknown) => boolean {
  return (value) => values.includes(value);
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null
    ? Object.keys(value).length === 0
    : value === "" || value === false;
}
