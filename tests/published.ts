import { expect } from "vitest";
import { differences } from "./openai-types.ts";

/** Keys of our answers that OpenAI's types don't have, by type, with the reason. */
export const ADDITIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ChatCompletion: {
    metadata: "SGLang's: which weights answered",
    "choices[].matched_stop": "SGLang's: what ended the answer",
    "choices[].message.reasoning_content": "SGLang's, and DeepSeek's before it",
    "choices[].message.tool_calls[].index": "SGLang's: as streams have it",
    "choices[].token_ids": "vLLM's, asked for by return_token_ids",
    prompt_token_ids: "vLLM's, asked for by return_token_ids",
    "usage.reasoning_tokens": "SGLang's place for it",
    "usage.prompt_tokens_details.image_tokens": "in OpenAI's API, not yet in the package's types",
    "usage.prompt_tokens_details.images": "ours: what the model saw of each image",
  },
  ChatCompletionChunk: {
    "choices[].matched_stop": "SGLang's: what ended the answer",
    "choices[].delta.reasoning_content": "SGLang's, and DeepSeek's before it",
    "choices[].token_ids": "vLLM's, asked for by return_token_ids",
    "usage.reasoning_tokens": "SGLang's place for it",
    "usage.prompt_tokens_details.image_tokens": "in OpenAI's API, not yet in the package's types",
    "usage.prompt_tokens_details.images": "ours: what the model saw of each image",
  },
  Completion: {
    "choices[].matched_stop": "SGLang's: what ended the answer",
    "usage.reasoning_tokens": "SGLang's place for it",
    "usage.prompt_tokens_details.image_tokens": "in OpenAI's API, not yet in the package's types",
  },
  Model: {
    root: "SGLang's",
    parent: "SGLang's",
    max_model_len: "SGLang's",
    type: "LM Studio's",
    capabilities: "llama.cpp's",
  },
  "Responses.Response": {
    "usage.input_tokens_details.images": "ours: what the model saw of each image",
  },
  "Responses.ResponseStreamEvent": {
    "response.usage.input_tokens_details.images": "ours: what the model saw of each image",
    error: "what the package throws when it reads the `error` event",
    "logprobs[].bytes": "published in whole messages only",
    "logprobs[].top_logprobs[].bytes": "published in whole messages only",
  },
};

/** Where the package's types differ from what OpenAI's API sends, with the reason. */
const DEVIATIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "a Completion of a stream": {
    "choices[].finish_reason is null": "null until the choice ends, as in OpenAI's own streams",
    "usage is null": "with include_usage on all but the last, as its documentation says",
  },
  "Responses.Response": {
    "output_text is missing": "the package itself adds it",
  },
  "Responses.ResponseStreamEvent": {
    "response.output_text is missing": "the package itself adds it",
  },
};

/** The additional keys that were found, as `<type>: <path>`. */
export const seenAdditions = new Set<string>();

/**
 * Checks an answer against one of OpenAI's published types.
 *
 * @param form the variant of the type, where its deviations differ
 */
export function expectPublished(value: unknown, type: string, form = type): void {
  const { wrong, extra } = differences(value, type);
  const deviations = Object.keys(DEVIATIONS[form] ?? {});
  const unexpected = wrong.filter((text) => !deviations.some((known) => text.startsWith(known)));
  expect(unexpected, JSON.stringify(value)).toEqual([]);
  const additions = Object.keys(ADDITIONS[type] ?? {});
  expect(additions, JSON.stringify(value)).toEqual(expect.arrayContaining([...extra]));
  for (const key of extra) seenAdditions.add(`${type}: ${key}`);
}
