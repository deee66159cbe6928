import type { Generator, Sampling } from "../engine/generation.ts";
import type { CheckpointFiles, ImageProcessor } from "../models/model.ts";
import { type ChatTemplate, chatTemplate } from "../text/template.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { type GenerationDefaults, generationDefaults } from "./defaults.ts";
import { type ImageIntake, collectImages } from "./images.ts";
import type { Message } from "./messages.ts";
import { type Prompt, buildPrompt } from "./prompt.ts";
import { RequestError } from "./request-error.ts";
import { StopStrings } from "./stop-strings.ts";

/** A loaded model with all that a conversation needs. */
export interface ChatModel {
  readonly generator: Generator;
  readonly processor: ImageProcessor;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly defaults: GenerationDefaults;
  readonly images: ImageIntake;
}

export type ChatModelOptions = Pick<ChatModel, "generator" | "processor"> &
  Pick<ImageIntake, "decodeImage"> &
  Partial<ImageIntake>;

/**
 * Makes a chat model of a checkpoint's files (tokenizer.json, tokenizer_config.json, the chat
 * template, generation_config.json and config.json) and the engine that runs it.
 *
 * @throws Error when tokenizer.json is missing, TemplateError when there is no chat template
 */
export function chatModel(files: CheckpointFiles, options: ChatModelOptions): ChatModel {
  const { generator, processor, ...images } = options;
  const tokenizerJson = files["tokenizer.json"] as object | undefined;
  if (!tokenizerJson) throw new Error("chatModel: the checkpoint has no tokenizer.json");
  const tokenizer = new Tokenizer(tokenizerJson, files["tokenizer_config.json"] ?? {});
  return {
    generator,
    processor,
    tokenizer,
    template: chatTemplate(files, tokenizer.namedTokens),
    defaults: generationDefaults(files, tokenizer),
    images: {
      fetch: (...request) => globalThis.fetch(...request),
      timeoutMs: 30_000,
      maxBytes: 50 * 2 ** 20,
      maxPixels: 2 ** 26,
      ...images,
    },
  };
}

/** What to answer, and how; what is left out is as the checkpoint says. */
export interface ChatRequest {
  readonly messages: readonly Message[];
  /** Default: as many as the context has room for. */
  readonly maxTokens?: number;
  /** Strings that end the answer and do not appear in it. */
  readonly stop?: readonly string[];
  /** Tokens that end the answer besides the checkpoint's own. */
  readonly stopTokenIds?: readonly number[];
  /** Go on after the checkpoint's end-of-sequence tokens. */
  readonly ignoreEos?: boolean;
  /** Default true. */
  readonly skipSpecialTokens?: boolean;
  readonly sampling?: Partial<Sampling>;
  /** Variables for the chat template. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal;
}

/** Why an answer ended: the stop token's id or the stop string, null at the length limit. */
export interface Finish {
  readonly reason: "stop" | "length";
  readonly matched: number | string | null;
}

/** What one more token brought; the text may be empty. */
export interface Delta {
  readonly text: string;
  /** The token; none where the text was held back from an earlier one. */
  readonly token?: number;
  /** Tokens generated so far, the stopping one included. */
  readonly completionTokens: number;
  /** On the last delta only. */
  readonly finish?: Finish;
}

/** An answer under way. */
export interface ChatAnswer {
  readonly prompt: Prompt;
  /** Runs the model as it is iterated; returning from it stops the model. */
  readonly deltas: AsyncGenerator<Delta, void, void>;
}

/**
 * Prepares the prompt of a conversation, images included, and the answer to it.
 *
 * @throws RequestError when the request can't be answered; the signal's reason when aborted. The
 * deltas throw what the generator throws.
 */
export async function chat(model: ChatModel, request: ChatRequest): Promise<ChatAnswer> {
  const { messages, signal } = request;
  signal?.throwIfAborted();
  const images = await collectImages(messages, model.images, model.processor, signal);
  const prompt = buildPrompt(model, messages, images, request.templateVariables);
  const stopTokenIds = [
    ...(request.ignoreEos ? [] : model.defaults.stopTokenIds),
    ...(request.stopTokenIds ?? []),
  ];
  const ids = model.generator.generate({
    ids: prompt.ids,
    images,
    maxTokens: answerLength(prompt, request.maxTokens, model.generator.contextLength),
    stopTokenIds,
    sampling: samplingOf(request.sampling, model.defaults.sampling),
    signal,
  });
  return { prompt, deltas: textDeltas(model.tokenizer, ids, request, new Set(stopTokenIds)) };
}

/** How many tokens the answer may have. Throws RequestError when they do not fit. */
function answerLength(prompt: Prompt, asked: number | undefined, contextLength: number): number {
  const total = prompt.ids.length;
  const room = contextLength - total;
  if (room >= (asked ?? 1)) return asked ?? room;
  const text = total - prompt.imageTokens;
  const completion = asked === undefined ? "at least 1" : `${asked}`;
  throw new RequestError(
    "context_length_exceeded",
    "messages",
    `This model's maximum context length is ${contextLength} tokens. However, you asked for ` +
      `${total + (asked ?? 1)} tokens: ${total} in the messages (${text} of text, ` +
      `${prompt.imageTokens} of images) and ${completion} in the completion.`,
  );
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
  } = asked;
  return { temperature: temperature < 1e-6 ? 0 : temperature, topK, topP, minP, seed };
}

async function* textDeltas(
  tokenizer: Tokenizer,
  ids: AsyncIterable<number>,
  { stop = [], skipSpecialTokens = true }: ChatRequest,
  stopTokenIds: ReadonlySet<number>,
): AsyncGenerator<Delta, void, void> {
  const detokenizer = tokenizer.detokenizer({ skipSpecialTokens });
  const stops = new StopStrings(stop);
  let completionTokens = 0;
  let stopToken: number | undefined;
  let ended: Finish = { reason: "length", matched: null };
  for await (const id of ids) {
    completionTokens++;
    if (stopTokenIds.has(id)) {
      ended = { reason: "stop", matched: id };
      stopToken = id;
      break;
    }
    const { text, matched } = stops.push(detokenizer.push(id));
    const finish: Finish | undefined =
      matched === undefined ? undefined : { reason: "stop", matched };
    yield { text, token: id, completionTokens, ...(finish && { finish }) };
    if (finish) return;
  }
  const { text, matched } = stops.push(detokenizer.end());
  const last = { completionTokens, ...(stopToken !== undefined && { token: stopToken }) };
  if (matched === undefined) yield { ...last, text: text + stops.end(), finish: ended };
  else yield { ...last, text, finish: { reason: "stop", matched } };
}
