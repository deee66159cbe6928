import type { ChatAnswer, AnswerDelta } from "../chat/answer-types.ts";
import type { TokenLogprobs } from "../chat/logprobs.ts";
import { choiceLogprobs } from "./logprobs.ts";
import { completionUsage } from "./usage.ts";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  Choice,
  ChunkChoice,
  ChunkDelta,
  StreamOptions,
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
export async function wholeChatCompletion(
  answer: ChatAnswer,
  identity: AnswerIdentity,
  tokenIds = false,
): Promise<ChatCompletion> {
  const choices: Choice[] = [];
  const places: TokenLogprobs[][] = [];
  for await (const delta of answer.deltas) {
    const choice = (choices[delta.choice] ??= emptyChoice(delta.choice, tokenIds));
    addTo(choice, delta);
    if (delta.token !== undefined) choice.token_ids?.push(delta.token);
    if (delta.logprobs) (places[delta.choice] ??= []).push(delta.logprobs);
    if (delta.finish) {
      choice.finish_reason = delta.finish.reason;
      choice.matched_stop = delta.finish.matched;
    }
  }
  return {
    ...identity,
    object: "chat.completion",
    choices: choices.map((choice, i) => ({
      ...choice,
      message: wholeMessage(choice.message),
      logprobs: choiceLogprobs(places[i] ?? []),
    })),
    usage: completionUsage(answer.usage),
    metadata: { weight_version: "default" },
    ...(tokenIds && { prompt_token_ids: answer.prompt.ids }),
  };
}

function emptyChoice(index: number, tokenIds: boolean): Choice {
  return {
    index,
    message: { role: "assistant", content: "", refusal: null, reasoning_content: null },
    logprobs: null,
    finish_reason: "length",
    matched_stop: null,
    ...(tokenIds && { token_ids: [] }),
  };
}

function addTo({ message }: Choice, { text, reasoning, toolCalls = [] }: AnswerDelta): void {
  message.content += text;
  if (reasoning !== undefined)
    message.reasoning_content = (message.reasoning_content ?? "") + reasoning;
  for (const { index, id, name, arguments: more } of toolCalls) {
    const calls = (message.tool_calls ??= []);
    const call = (calls[index] ??= {
      id: id ?? "",
      type: "function",
      index,
      function: { name: name ?? "", arguments: "" },
    });
    call.function.arguments += more;
  }
}

/** Without content where there is nothing but calls. */
function wholeMessage(message: Choice["message"]): Choice["message"] {
  return message.content === "" && message.tool_calls ? { ...message, content: null } : message;
}

/**
 * The answer in chunks: of each choice the role, then reasoning, text and calls as they come, and why
 * it ended; at the end the usage when asked for.
 * Waits for the first token, so that what fails before it can still decide the HTTP status.
 */
export async function chatCompletionChunks(
  answer: ChatAnswer,
  identity: AnswerIdentity,
  options: StreamOptions = {},
  tokenIds = false,
): Promise<AsyncGenerator<ChatCompletionChunk, void, void>> {
  const first = await answer.deltas.next();
  return chunks(answer, first, identity, options, tokenIds);
}

async function* chunks(
  { usage: counts, deltas }: ChatAnswer,
  first: IteratorResult<AnswerDelta, void>,
  identity: AnswerIdentity,
  { include_usage, continuous_usage_stats }: StreamOptions,
  tokenIds: boolean,
): AsyncGenerator<ChatCompletionChunk, void, void> {
  const usage = (): Pick<ChatCompletionChunk, "usage"> => {
    if (continuous_usage_stats) return { usage: completionUsage(counts) };
    return include_usage ? { usage: null } : {};
  };
  let index = 0;
  const chunk = (choice: Partial<ChunkChoice>): ChatCompletionChunk => ({
    ...identity,
    object: "chat.completion.chunk",
    choices: [{ index, delta: {}, logprobs: null, finish_reason: null, ...choice }],
    ...usage(),
  });
  const opening = (): ChatCompletionChunk => chunk({ delta: { role: "assistant", content: "" } });

  let untold: number[] = [];
  let places: TokenLogprobs[] = [];
  const tellTokens = (): Pick<ChunkChoice, "token_ids" | "logprobs"> => {
    const told = { logprobs: choiceLogprobs(places), ...(tokenIds && { token_ids: untold }) };
    untold = [];
    places = [];
    return told;
  };
  yield opening();
  for (let next = first; !next.done; next = await deltas.next()) {
    const { choice, token, logprobs, finish } = next.value;
    if (choice !== index) {
      index = choice;
      yield opening();
    }
    if (token !== undefined) untold.push(token);
    if (logprobs) places.push(logprobs);
    for (const delta of chunkDeltas(next.value)) yield chunk({ delta, ...tellTokens() });
    if (finish) {
      const { reason: finish_reason, matched: matched_stop } = finish;
      yield chunk({ finish_reason, matched_stop, ...tellTokens() });
    }
  }
  if (!include_usage) return;
  const last = { ...identity, object: "chat.completion.chunk" as const, choices: [] };
  yield { ...last, usage: completionUsage(counts) };
}

/** What a delta tells, one thing at a time. */
function chunkDeltas({ text, reasoning, toolCalls = [] }: AnswerDelta): ChunkDelta[] {
  const calls = toolCalls.map(({ index, id, name, arguments: more }): ChunkDelta => {
    const begun = id === undefined ? {} : { id, type: "function" as const };
    const called = { ...(name !== undefined && { name }), arguments: more };
    return { tool_calls: [{ index, ...begun, function: called }] };
  });
  return [
    ...(reasoning === undefined ? [] : [{ reasoning_content: reasoning }]),
    ...(text === "" ? [] : [{ content: text }]),
    ...calls,
  ];
}
