import * as z from "zod/mini";
import type { ChatAnswer, AnswerDelta } from "../chat/answer-types.ts";
import { complete } from "../chat/complete.ts";
import { interleaved } from "../chat/interleaved.ts";
import { totalUsage } from "../chat/usage.ts";
import { answerFields } from "./answer-fields.ts";
import { answerOptions, identityOf } from "./answer-options.ts";
import type { AnswerIdentity } from "./chat-completions-output.ts";
import { chatCompletionRequest } from "./chat-completions-request.ts";
import { type Context, checkModel, loadedModel, readJson } from "./context.ts";
import { FIELD_PATHS, type PathOf, withPaths } from "./error-paths.ts";
import { formatFields } from "./format-fields.ts";
import { ProgressReports, withProgress } from "./progress.ts";
import { requestedFormat } from "./response-format.ts";
import { streamResponse } from "./stream-response.ts";
import { IGNORED_CHAT_FIELDS, logUnknownFields } from "./unknown-fields.ts";
import { UNSUPPORTED_COMPLETION_FIELDS, refuseFields } from "./unsupported.ts";
import { completionUsage } from "./usage.ts";
import { checkShape, integerIn } from "./validate.ts";
import type {
  Completion,
  CompletionChoice,
  CompletionRequest,
  StreamOptions,
  Usage,
} from "./wire.ts";

const ids = z.array(integerIn(0)).check(z.minLength(1));

export const completionRequest = z.extend(
  z.pick(chatCompletionRequest, {
    max_tokens: true,
    stream: true,
    stream_options: true,
    n: true,
  }),
  {
    ...answerFields,
    ...formatFields,
    prompt: z.union([
      z.string(),
      z.array(z.string()).check(z.minLength(1)),
      ids,
      z.array(ids).check(z.minLength(1)),
    ]),
    echo: z.nullish(z.boolean()),
  },
);

/** OpenAI's default. Chat completions continue to the end of the context instead. */
const DEFAULT_MAX_TOKENS = 16;

/** `POST completions` */
export async function postCompletion(context: Context): Promise<Response> {
  const model = loadedModel(context);
  const { request } = context;
  const json = await readJson(request);
  const body: CompletionRequest = checkShape(completionRequest, json);
  refuseFields(json as Record<string, unknown>, UNSUPPORTED_COMPLETION_FIELDS);
  logUnknownFields(
    "completions",
    json,
    completionRequest.shape,
    UNSUPPORTED_COMPLETION_FIELDS,
    IGNORED_CHAT_FIELDS,
  );
  checkModel(body.model, model);

  const max_tokens = body.max_tokens ?? DEFAULT_MAX_TOKENS;
  const begin = async (signal: AbortSignal, onProgress?: ProgressReports["add"]) => {
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const options = answerOptions({ ...body, max_tokens }, either);
    const answers = await Promise.all(
      promptsOf(body.prompt).map(([prompt, path], i) => {
        const one = i === 0 ? { ...options, onProgress } : options;
        return withPaths(pathIn(body, path), () => complete(model.chat, prompt, one));
      }),
    );
    const stop = (): void => ended.abort();
    return { answers, deltas: completionDeltas(answers, body.n ?? 1, body.echo ?? false, stop) };
  };
  const identity = identityOf(model, "cmpl");
  if (!body.stream) {
    const { answers, deltas } = await begin(request.signal);
    return Response.json(await wholeCompletion(deltas, answers, identity));
  }
  return streamResponse(request, async (signal) => {
    const options = body.stream_options ?? {};
    const reports = options.include_progress ? new ProgressReports() : undefined;
    const { answers, deltas } = await begin(signal, reports?.add);
    const completions = completionEvents(deltas, answers, identity, options);
    const event = { ...identity, object: "text_completion" as const, choices: [] };
    const events = reports
      ? withProgress(completions, reports, (progress) => ({ ...event, progress }))
      : completions;
    return { events, answers };
  });
}

/** The paths of errors about one of the prompts. */
function pathIn(body: CompletionRequest, promptPath: string): PathOf {
  return (subject) => {
    if (typeof subject === "object") return promptPath; // no prompt has content parts
    if (subject === "prompt") return promptPath;
    return (subject === "format" && requestedFormat(body)?.path) || FIELD_PATHS[subject];
  };
}

/** The prompts, each with its path in the request. */
function promptsOf(
  prompt: CompletionRequest["prompt"],
): readonly (readonly [string | readonly number[], string])[] {
  if (typeof prompt === "string" || typeof prompt[0] === "number") {
    return [[prompt as string | number[], "prompt"]];
  }
  return (prompt as string[] | number[][]).map((one, i) => [one, `prompt[${i}]`]);
}

/** What one token adds to the choice `index`, counted over all prompts. */
interface CompletionDelta extends Pick<AnswerDelta, "text" | "finish"> {
  readonly index: number;
}

/** The texts of the answers, interleaved. With `echo`, each begins with its prompt. */
function completionDeltas(
  answers: readonly ChatAnswer[],
  n: number,
  echo: boolean,
  stop: () => void,
): AsyncGenerator<CompletionDelta, void, void> {
  const deltasOf = async function* ({ prompt, deltas }: ChatAnswer, i: number) {
    const begun = new Set<number>();
    for await (const delta of deltas) {
      const opening = echo && !begun.has(delta.choice) ? prompt.text : "";
      begun.add(delta.choice);
      yield { ...delta, index: i * n + delta.choice, text: opening + delta.text };
    }
  };
  return interleaved(answers.map(deltasOf), stop);
}

async function wholeCompletion(
  parts: AsyncIterable<CompletionDelta>,
  answers: readonly ChatAnswer[],
  identity: AnswerIdentity,
): Promise<Completion> {
  const choices: CompletionChoice[] = [];
  for await (const part of parts) {
    const choice = (choices[part.index] ??= choiceOf({ ...part, text: "" }));
    choice.text += part.text;
    choice.finish_reason = part.finish?.reason ?? null;
    choice.matched_stop = part.finish?.matched ?? null;
  }
  return { ...identity, object: "text_completion", choices, usage: usageOf(answers) };
}

async function* completionEvents(
  parts: AsyncIterable<CompletionDelta, void>,
  answers: readonly ChatAnswer[],
  identity: AnswerIdentity,
  { include_usage, continuous_usage_stats }: StreamOptions,
): AsyncGenerator<Completion, void, void> {
  const usage = (): Pick<Completion, "usage"> => {
    if (continuous_usage_stats) return { usage: usageOf(answers) };
    return include_usage ? { usage: null } : {};
  };
  const event = { ...identity, object: "text_completion" as const };
  for await (const part of parts) {
    if (part.text === "" && !part.finish) continue;
    yield { ...event, choices: [choiceOf(part)], ...usage() };
  }
  if (include_usage)
    yield {
      ...event,
      choices: [],
      usage: usageOf(answers),
    };
}

function choiceOf({ index, text, finish }: CompletionDelta): CompletionChoice {
  return {
    index,
    text,
    logprobs: null,
    finish_reason: finish?.reason ?? null,
    matched_stop: finish?.matched ?? null,
  };
}

function usageOf(answers: readonly ChatAnswer[]): Usage {
  return completionUsage(totalUsage(answers.map(({ usage }) => usage)));
}
