import type { Generator } from "../engine/generation.ts";
import type { CheckpointFiles, ImageProcessor } from "../models/model.ts";
import { type ChatTemplate, chatTemplate } from "../text/template.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { type AnswerOptions, type ChatAnswer, answer } from "./answer.ts";
import { type GenerationDefaults, generationDefaults } from "./defaults.ts";
import { type ImageIntake, collectImages } from "./images.ts";
import type { Message } from "./messages.ts";
import { type PromptOptions, buildPrompt } from "./prompt.ts";

/** A loaded model with all that a conversation needs. */
export interface ChatModel {
  readonly generator: Generator;
  readonly processor: ImageProcessor;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly defaults: GenerationDefaults;
  readonly images: ImageIntake;
  /** The `model_type` of config.json, such as "smolvlm". */
  readonly modelType: string;
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
    modelType: (files["config.json"] as { model_type?: string } | undefined)?.model_type ?? "",
  };
}

/** What to answer, and how. */
export interface ChatRequest extends AnswerOptions, PromptOptions {
  readonly messages: readonly Message[];
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
  const prompt = buildPrompt(model, messages, images, request);
  return answer(model, prompt, images, request, "messages");
}
