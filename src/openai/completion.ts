import type { ChatAnswer, Delta, Finish } from "../chat/chat.ts";
import type { Prompt } from "../chat/prompt.ts";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChunkChoice,
  StreamOptions,
  Usage,
} from "./wire.ts";

/** What every object of one answer says the same. */
export interface AnswerIdentity {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
}

/**
 * The whole answer in one object.
 *
 * @param tokenIds whether it tells the token ids too
 */
export async function completion(
  answer: ChatAnswer,
  identity: AnswerIdentity,
  tokenIds = false,
): Promise<ChatCompletion> {
  const ids: number[] = [];
  let content = "";
  let completionTokens = 0;
  let finish: Finish = { reason: "length", matched: null };
  for await (const delta of answer.deltas) {
    content += delta.text;
    if (delta.token !== undefined) ids.push(delta.token);
    completionTokens = delta.completionTokens;
    finish = delta.finish ?? finish;
  }
  return {
    ...identity,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content, refusal: null, reasoning_content: null },
        logprobs: null,
        finish_reason: finish.reason,
        matched_stop: finish.matched,
        ...(tokenIds && { token_ids: ids }),
      },
    ],
    usage: usageOf(answer.prompt, completionTokens),
    metadata: { weight_version: "default" },
    ...(tokenIds && { prompt_token_ids: answer.prompt.ids }),
  };
}

/**
 * The answer in chunks: the role, text as it comes, why it ended, and the usage when asked for.
 * Waits for the first token, so that what fails before it can still decide the HTTP status.
 */
export async function completionChunks(
  answer: ChatAnswer,
  identity: AnswerIdentity,
  options: StreamOptions = {},
  tokenIds = false,
): Promise<AsyncGenerator<ChatCompletionChunk, void, void>> {
  const first = await answer.deltas.next();
  return chunks(answer, first, identity, options, tokenIds);
}

async function* chunks(
  { prompt, deltas }: ChatAnswer,
  first: IteratorResult<Delta, void>,
  identity: AnswerIdentity,
  { include_usage, continuous_usage_stats }: StreamOptions,
  tokenIds: boolean,
): AsyncGenerator<ChatCompletionChunk, void, void> {
  const usage = (tokens: number): Pick<ChatCompletionChunk, "usage"> => {
    if (continuous_usage_stats) return { usage: usageOf(prompt, tokens) };
    return include_usage ? { usage: null } : {};
  };
  const chunk = (choice: Partial<ChunkChoice>, tokens: number): ChatCompletionChunk => ({
    ...identity,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: null, ...choice }],
    ...usage(tokens),
  });

  let tokens = 0;
  let untold: number[] = [];
  const tellIds = (): Pick<ChunkChoice, "token_ids"> => {
    const token_ids = untold;
    untold = [];
    return tokenIds ? { token_ids } : {};
  };
  yield chunk({ delta: { role: "assistant", content: "" } }, tokens);
  for (let next = first; !next.done; next = await deltas.next()) {
    const { text, token, completionTokens, finish } = next.value;
    tokens = completionTokens;
    if (token !== undefined) untold.push(token);
    if (text !== "") yield chunk({ delta: { content: text }, ...tellIds() }, tokens);
    if (finish) {
      const { reason: finish_reason, matched: matched_stop } = finish;
      yield chunk({ finish_reason, matched_stop, ...tellIds() }, tokens);
    }
  }
  if (!include_usage) return;
  const last = { ...identity, object: "chat.completion.chunk" as const, choices: [] };
  yield { ...last, usage: usageOf(prompt, tokens) };
}

function usageOf({ ids, imageTokens }: Prompt, completionTokens: number): Usage {
  return {
    prompt_tokens: ids.length,
    completion_tokens: completionTokens,
    total_tokens: ids.length + completionTokens,
    prompt_tokens_details: { cached_tokens: 0, image_tokens: imageTokens },
    completion_tokens_details: { reasoning_tokens: 0 },
    reasoning_tokens: 0,
  };
}
