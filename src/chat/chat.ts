import type { TokenGenerator } from "../engine/generation.ts";
import { GrammarCompiler } from "../grammar/grammar.ts";
import type { CheckpointFiles, ImageProcessor } from "../models/model.ts";
import { type ChatTemplate, chatTemplate } from "../text/template.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import type { Reading } from "./answer-reader.ts";
import { type AnswerOptions, type ChatAnswer, answer } from "./answer.ts";
import { type GenerationDefaults, generationDefaults } from "./defaults.ts";
import { type ImageIntake, collectImages } from "./images.ts";
import { HERMES } from "./json-calls.ts";
import { textOf } from "./message-content.ts";
import type { Message } from "./messages.ts";
import { type Prompt, type PromptOptions, buildPrompt } from "./prompt.ts";
import { knowsThinking, thinkingState } from "./reasoning.ts";
import type { ToolFormat } from "./tool-format.ts";
import { callsFormat } from "./tool-grammar.ts";
import { type Tool, type ToolChoice, offeredTools } from "./tools.ts";

/** A loaded model with all that a conversation needs. */
export interface ChatModel {
  readonly generator: TokenGenerator;
  readonly processor: ImageProcessor;
  readonly tokenizer: Tokenizer;
  /** What answers are kept to formats by. */
  readonly grammars: GrammarCompiler;
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
    grammars: new GrammarCompiler(tokenizer),
    template: chatTemplate(files, tokenizer.namedTokens, processor.chatTemplate),
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
  /** The functions that the model may call; their names are unique. */
  readonly tools?: readonly Tool[];
  /** Default: "auto". */
  readonly toolChoice?: ToolChoice;
  /** Whether an answer may make more than one call. Default true. */
  readonly parallelToolCalls?: boolean;
  /**
   * Give a call's arguments as they come, as a stream wants them. A call that turns out malformed
   * can't be taken back then; otherwise it stays text. Default false.
   */
  readonly streamArguments?: boolean;
  /**
   * Whether `<think>` spans are told apart from the text. Default: where the template or the
   * tokenizer knows them.
   */
  readonly separateReasoning?: boolean;
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
  const tools = offeredTools(request.tools, request.toolChoice);
  const images = await collectImages(messages, model.images, model.processor, signal);
  const prompt = buildPrompt(model, messages, images, { ...request, tools });
  const { format, calls } = callsOf(request, tools, prompt.toolFormat);
  const thinking = thinkingOf(model, request, prompt);
  const reading = { thinking, calls, goesOn: request.continueFinalMessage };
  return answer(model, prompt, images, { ...request, format }, "messages", reading);
}

/** How calls of tools are read, and what the answer must match for them. */
function callsOf(
  request: ChatRequest,
  tools: readonly Tool[],
  taught: ToolFormat | undefined,
): Pick<AnswerOptions, "format"> & Pick<Reading, "calls"> {
  const { toolChoice: choice = "auto", parallelToolCalls = true, streamArguments } = request;
  if (!taught) return { format: request.format };
  const isSingle = !parallelToolCalls || typeof choice === "object";
  // What can't be forced in the way that the template teaches is forced in Hermes'.
  const isForced = choice !== "auto" || request.format !== undefined;
  const format = isForced && !taught.forced ? HERMES : taught;
  const names = new Set(tools.map((tool) => tool.function.name));
  const rules = { tools, choice, isSingle, content: request.format };
  return {
    format: format.forced && callsFormat({ ...rules, forced: format.forced }),
    calls: { format, names, isSingle, early: streamArguments ?? false },
  };
}

/** How reasoning is read; undefined where the model has none. */
function thinkingOf(
  { template, tokenizer }: ChatModel,
  { messages, continueFinalMessage, separateReasoning }: ChatRequest,
  prompt: Prompt,
): Reading["thinking"] {
  if (!separateReasoning && !knowsThinking(template.source, tokenizer)) return undefined;
  const continued = continueFinalMessage ? messages.at(-1)?.content : "";
  return {
    state: thinkingState(prompt.text, textOf(continued ?? "")),
    isSeparate: separateReasoning ?? true,
  };
}
