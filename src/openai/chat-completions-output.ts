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
  StreamProgress,
} from "./wire.ts";

/** The fields that all objects of one answer share. */
export interface AnswerIdentity {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
}

/**
 * Reads the answer to its end and returns it in one object.
 *
 * @param tokenIds whether to include token ids
 */
export async function wholeChatCompletion(
  answer: ChatAnswer,
  identity: AnswerIdentity,
  tokenIds = false,
): Promise<ChatCompletion> {
  const choices: Choice[] = [];
  const positions: TokenLogprobs[][] = [];
  for await (const delta of answer.deltas) {
    const choice = (choices[delta.choice] ??= emptyChoice(delta.choice, tokenIds));
    addTo(choice, delta);
    if (delta.token !== undefined) choice.token_ids?.push(delta.token);
    if (delta.logprobs) (positions[delta.choice] ??= []).push(delta.logprobs);
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
      logprobs: choiceLogprobs(positions[i] ?? []),
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

/** The content becomes null if the message only has tool calls. */
function wholeMessage(message: Choice["message"]): Choice["message"] {
  return message.content === "" && message.tool_calls ? { ...message, content: null } : message;
}

/**
 * Returns the answer in chunks. Each choice begins with its role; reasoning, text and tool calls
 * follow as they arrive, then its finish reason. The last chunk has the usage, if requested. The first
 * chunk comes with the first token, so that a failure before that is no answer.
 */
export async function* chatCompletionChunks(
  { usage: counts, deltas }: ChatAnswer,
  identity: AnswerIdentity,
  { include_usage, continuous_usage_stats }: StreamOptions = {},
  tokenIds = false,
): AsyncGenerator<ChatCompletionChunk, void, void> {
  const usage = (): Pick<ChatCompletionChunk, "usage"> => {
    if (continuous_usage_stats) return { usage: completionUsage(counts) };
    return include_usage ? { usage: null } : {};
  };
  const chunk = (index: number, choice: Partial<ChunkChoice>): ChatCompletionChunk => ({
    ...identity,
    object: "chat.completion.chunk",
    choices: [{ index, delta: {}, logprobs: null, finish_reason: null, ...choice }],
    ...usage(),
  });
  /** Tokens of each choice that no chunk has reported yet. */
  const unreported: { token_ids: number[]; positions: TokenLogprobs[] }[] = [];
  const takeTokens = (index: number): Pick<ChunkChoice, "token_ids" | "logprobs"> => {
    const { token_ids = [], positions = [] } = unreported[index] ?? {};
    unreported[index] = { token_ids: [], positions: [] };
    return { logprobs: choiceLogprobs(positions), ...(tokenIds && { token_ids }) };
  };
  for await (const answered of deltas) {
    const { choice, token, logprobs, finish } = answered;
    if (!unreported[choice]) yield chunk(choice, { delta: { role: "assistant", content: "" } });
    const { token_ids, positions } = (unreported[choice] ??= { token_ids: [], positions: [] });
    if (token !== undefined) token_ids.push(token);
    if (logprobs) positions.push(logprobs);
    for (const delta of chunkDeltas(answered)) {
      yield chunk(choice, { delta, ...takeTokens(choice) });
    }
    if (finish) {
      const { reason: finish_reason, matched: matched_stop } = finish;
      yield chunk(choice, { finish_reason, matched_stop, ...takeTokens(choice) });
    }
  }
  if (!include_usage) return;
  const last = { ...identity, object: "chat.completion.chunk" as const, choices: [] };
  yield { ...last, usage: completionUsage(counts) };
}

/** A chunk that says what the answer waits for. */
export function progressChunk(
  identity: AnswerIdentity,
  progress: StreamProgress,
): ChatCompletionChunk {
  return { ...identity, object: "chat.completion.chunk", choices: [], progress };
}

/** The reasoning, the text and each tool call of a delta, in a chunk delta of its own. */
function chunkDeltas({ text, reasoning, toolCalls = [] }: AnswerDelta): ChunkDelta[] {
  const calls = toolCalls.map(({ index, id, name, arguments: more }): ChunkDelta => {
    const first = id === undefined ? {} : { id, type: "function" as const };
    const named = { ...(name !== undefined && { name }), arguments: more };
    return { tool_calls: [{ index, ...first, function: named }] };
  });
  return [
    ...(reasoning === undefined ? [] : [{ reasoning_content: reasoning }]),
    ...(text === "" ? [] : [{ content: text }]),
    ...calls,
  ];
}
