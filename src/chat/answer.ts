import type { PreparedImage, Sampling, TokenConstraint } from "../engine/generation.ts";
import type { CompiledGrammar } from "../grammar/grammar.ts";
import type { ReaderOptions } from "./answer-reader.ts";
import type { AnswerOptions, ChatAnswer, AnswerDelta } from "./answer-types.ts";
import { answerStop, compileFormat, formatConstraint } from "./constraint.ts";
import type { GenerationDefaults } from "./defaults.ts";
import { forbidTokens } from "./forbidden-tokens.ts";
import { interleaved } from "./interleaved.ts";
import type { ChatModel } from "./model.ts";
import type { TokenizedPrompt } from "./prompt.ts";
import { constrainAfterThinking } from "./reasoning.ts";
import { RequestError } from "./request-error.ts";
import { textDeltas } from "./text-deltas.ts";
import { UsageCounter } from "./usage.ts";

/** More tokens than the last character of a prompt, or a run of byte tokens at its end, can have. */
const HELD_TOKENS = 256;

/**
 * Answers a prompt. The model runs once the deltas of the result are read.
 *
 * @param subject the field of the request that the prompt was made from, for errors
 * @param reading the parts to separate from the answer's text. Default: none
 * @throws RequestError when the prompt leaves no room for an answer, the format can't be enforced,
 *   or a value does not fit the model
 */
export async function answerPrompt(
  model: ChatModel,
  prompt: TokenizedPrompt,
  images: readonly PreparedImage[],
  request: AnswerOptions,
  subject: "messages" | "prompt",
  reading: ReaderOptions = {},
): Promise<ChatAnswer> {
  const { format, choices = 1, minTokens = 0, logprobs, cacheSalt, signal } = request;
  const maxTokens = answerLength(prompt, request.maxTokens, model, subject);
  checkImages(images.length, model.generator.maxImages);
  checkAgainst(model, request, maxTokens);
  const sampling = samplingOf(request.sampling, model.defaults.sampling);
  const end = answerStop(request, model.defaults.stopTokenIds);
  const { stopTokenIds } = end;
  // Reports an invalid format before the model runs.
  const grammar = format && (await compileFormat(model.grammars, format));
  signal?.throwIfAborted();
  const constraintOf = (grammar: CompiledGrammar): TokenConstraint => {
    const constraint = formatConstraint(grammar, end);
    const state = reading.thinking?.state ?? "outside";
    if (state === "outside") return constraint;
    return constrainAfterThinking(constraint, model.tokenizer, state, stopTokenIds);
  };
  const { forbidden } = model.defaults;
  const constrained = (): TokenConstraint | undefined => {
    const constraint = grammar && constraintOf(grammar);
    if (!forbidden) return constraint;
    return forbidTokens(forbidden, prompt.ids, stopTokenIds, constraint);
  };
  const usage = new UsageCounter(
    prompt,
    images.map(({ layout }) => layout),
  );
  const ended = new AbortController();
  const either = AbortSignal.any(signal ? [signal, ended.signal] : [ended.signal]);
  const run = (choice: number) => {
    const constraint = constrained();
    return model.generator.generate({
      ids: prompt.ids,
      images,
      maxTokens,
      stopTokenIds,
      sampling: { ...sampling, seed: choiceSeed(sampling.seed, choice) },
      // With a format, the constraint enforces it: the engine would forbid the stop token even where
      // nothing else may follow.
      minTokens: grammar ? 0 : minTokens,
      ...(constraint && { constraint }),
      logprobs,
      cacheSalt,
      priority: request.priority,
      ...(choice === 0 && {
        onCached: (tokens: number) => (usage.cachedTokens = tokens),
        onProgress: request.onProgress,
      }),
      signal: either,
    });
  };
  const after = reading.continuesPrompt ? prompt.ids.slice(-HELD_TOKENS) : [];
  const read = { ...request, stopTokenIds: new Set(stopTokenIds), reading, after };
  const deltasOf = async function* (choice: number): AsyncGenerator<AnswerDelta, void, void> {
    for await (const textDelta of textDeltas(model.tokenizer, run(choice), read)) {
      const { isReasoning, ...delta } = textDelta;
      if (delta.token !== undefined) usage.countToken(isReasoning);
      yield { choice, ...delta };
    }
  };
  const all = Array.from({ length: choices }, (_, choice) => deltasOf(choice));
  return { prompt, usage, deltas: interleaved(all, () => ended.abort()) };
}

/** `seed` + `choice`, distinct even where `seed` is beyond the integers that a number can hold. */
function choiceSeed(seed: number, choice: number): number {
  return choice === 0 ? seed : (seed % 2 ** 52) + choice;
}

/**
 * The maximum number of tokens of an answer: what was asked for, or the checkpoint's default, as far as it
 * fits into the context.
 *
 * @throws RequestError when none fits; with `strictMaxTokens`, when not all that were asked for fit
 */
function answerLength(
  prompt: TokenizedPrompt,
  most: number | undefined,
  { generator: { contextLength }, strictMaxTokens, defaults }: ChatModel,
  subject: "messages" | "prompt",
): number {
  const total = prompt.ids.length;
  const { maxLength = Infinity, maxNewTokens = Math.max(1, maxLength - total) } = defaults;
  const room = contextLength - total;
  const asked = strictMaxTokens && most !== Infinity ? most : undefined;
  if (room >= (asked ?? 1)) return Math.min(most ?? maxNewTokens, room);
  const text = total - prompt.imageTokens;
  const completion = asked === undefined ? "at least 1" : `${asked}`;
  throw new RequestError(
    "context_length_exceeded",
    subject,
    `This model's maximum context length is ${contextLength} tokens. However, you asked for ` +
      `${total + (asked ?? 1)} tokens: ${total} in the ${subject} (${text} of text, ` +
      `${prompt.imageTokens} of images) and ${completion} in the completion.`,
  );
}

/** @throws RequestError for more images than the engine has room for */
function checkImages(count: number, limit = Infinity): void {
  if (count <= limit) return;
  throw new RequestError(
    "invalid_value",
    "messages",
    `expected at most ${limit} image${limit === 1 ? "" : "s"}, since this device has no memory for ` +
      `more, but got ${count}. Leave out images of earlier messages, or send fewer.`,
  );
}

/** @throws RequestError for values that don't fit the model's vocabulary or the answer's length */
function checkAgainst(
  { tokenizer }: ChatModel,
  { minTokens = 0, sampling }: AnswerOptions,
  maxTokens: number,
): void {
  if (minTokens > maxTokens) {
    const message =
      `expected an integer from 0 to ${maxTokens}, the maximum length of this answer, ` +
      `but got ${minTokens} instead.`;
    throw new RequestError("invalid_value", "minTokens", message);
  }
  for (const id of sampling?.logitBias?.keys() ?? []) {
    if (tokenizer.token(id) !== undefined) continue;
    throw new RequestError("invalid_value", "logitBias", `the vocabulary has no token ${id}.`);
  }
}

function samplingOf(
  asked: Partial<Sampling> = {},
  defaults: GenerationDefaults["sampling"],
): Sampling {
  const {
    temperature = defaults.temperature,
    topK = defaults.topK,
    topP = defaults.topP,
    minP = defaults.minP,
    seed = crypto.getRandomValues(new Uint32Array(1))[0] as number,
    repetitionPenalty = defaults.repetitionPenalty,
    frequencyPenalty,
    presencePenalty,
    logitBias,
  } = asked;
  return {
    temperature: temperature < 1e-6 ? 0 : temperature,
    topK,
    topP,
    minP,
    seed,
    repetitionPenalty,
    frequencyPenalty,
    presencePenalty,
    logitBias,
  };
}
