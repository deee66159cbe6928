/** Fields without effect. The documentation has the reason for each. */
export const IGNORED_CHAT_FIELDS: readonly string[] = [
  "user",
  "metadata",
  "store",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "prediction",
  "verbosity",
  "rid",
  "request_id",
  "cache_prompt",
  "id_slot",
  "guided_decoding_backend",
  "spaces_between_special_tokens",
];

export const IGNORED_RESPONSE_FIELDS: readonly string[] = [
  "max_tool_calls",
  "moderation",
  "service_tier",
  "prompt_cache_options",
  "prompt_cache_retention",
  "logprobs",
];

/** Limits the log and the memory, whatever names clients send. */
const MOST_NAMES = 100;

const named = new Set<string>();

/**
 * Writes the names of unknown fields to the log, each once. Such a field may be a typing error, or ask
 * for what only another server knows.
 *
 * @param endpoint a path, such as "chat/completions"
 * @param known lists and objects that have the names of known fields
 */
export function logUnknownFields(
  endpoint: string,
  body: unknown,
  ...known: readonly (readonly string[] | object)[]
): void {
  const names = new Set(known.flatMap((one) => (Array.isArray(one) ? one : Object.keys(one))));
  for (const [name, value] of Object.entries(Object(body) as object)) {
    const key = `${endpoint} ${name}`;
    if (value === null || names.has(name) || named.has(key) || named.size >= MOST_NAMES) continue;
    named.add(key);
    console.warn(`webvlm: ${endpoint} has no parameter '${name.slice(0, 80)}'; it is ignored.`);
  }
}
