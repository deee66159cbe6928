import type { ReaderOptions } from "./answer-reader.ts";
import type { AnswerOptions } from "./answer-types.ts";
import type { ChatAnswer } from "./answer-types.ts";
import { answerPrompt } from "./answer.ts";
import { prepareImages } from "./images.ts";
import { HERMES } from "./json-calls.ts";
import { contentText } from "./message-content.ts";
import type { ChatMessage } from "./messages.ts";
import type { ChatModel } from "./model.ts";
import { type TokenizedPrompt, type PromptOptions, buildPrompt } from "./prompt.ts";
import { supportsThinking, thinkingState } from "./reasoning.ts";
import type { ToolFormat } from "./tool-format.ts";
import { toolCallFormat } from "./tool-grammar.ts";
import { type Tool, type ChatToolChoice, toolsForChoice } from "./tools.ts";

/** A conversation, and how to answer it. */
export interface ChatRequest extends AnswerOptions, PromptOptions {
  readonly messages: readonly ChatMessage[];
  /** The functions that the model may call. Their names must be unique. */
  readonly tools?: readonly Tool[];
  /** Default: "auto". */
  readonly toolChoice?: ChatToolChoice;
  /** Whether an answer may make more than one call. Default true. */
  readonly parallelToolCalls?: boolean;
  /**
   * Return a call's arguments piece by piece, as streams need them. A call that turns out to be
   * malformed can't be withdrawn then; by default it becomes text. Default false.
   */
  readonly streamArguments?: boolean;
  /**
   * Whether `<think>` blocks are separated from the text. Default: if the chat template or the
   * tokenizer has `<think>`.
   */
  readonly separateReasoning?: boolean;
}

/**
 * Answers a conversation: loads its images, makes the prompt, and prepares the answer. The model
 * runs once the deltas of the result are read.
 *
 * @throws RequestError when the request can't be answered; the signal's reason when it is aborted.
 *   The deltas throw what the generator throws.
 */
export async function chat(model: ChatModel, request: ChatRequest): Promise<ChatAnswer> {
  const { messages, signal } = request;
  signal?.throwIfAborted();
  const tools = toolsForChoice(request.tools, request.toolChoice);
  const images = await prepareImages(messages, model.images, model.processor, signal);
  const prompt = buildPrompt(model, messages, images, { ...request, tools });
  const { format, calls } = callsOf(request, tools, prompt.toolFormat);
  const thinking = thinkingOf(model, request, prompt);
  const reading: ReaderOptions = {
    thinking,
    calls,
    continuesPrompt: request.continueFinalMessage,
  };
  return answerPrompt(model, prompt, images, { ...request, format }, "messages", reading);
}

/** How tool calls are parsed, and the format that the answer must match because of them. */
function callsOf(
  request: ChatRequest,
  tools: readonly Tool[],
  taught: ToolFormat | undefined,
): Pick<AnswerOptions, "format"> & Pick<ReaderOptions, "calls"> {
  const { toolChoice: choice = "auto", parallelToolCalls = true, streamArguments } = request;
  if (!taught) return { format: request.format };
  const isSingle = !parallelToolCalls || typeof choice === "object";
  // If calls can't be enforced in the template's format, they are enforced in Hermes' format.
  const isForced = choice !== "auto" || request.format !== undefined;
  const format = isForced && !taught.forced ? HERMES : taught;
  const names = new Set(tools.map((tool) => tool.function.name));
  const rules = { tools, choice, isSingle, content: request.format };
  return {
    format: format.forced && toolCallFormat({ ...rules, forced: format.forced }),
    calls: { format, names, isSingle, early: streamArguments ?? false },
  };
}

/** How reasoning is parsed; undefined for a model without `<think>` blocks. */
function thinkingOf(
  { template, tokenizer }: ChatModel,
  { messages, continueFinalMessage, separateReasoning }: ChatRequest,
  prompt: TokenizedPrompt,
): ReaderOptions["thinking"] {
  if (!separateReasoning && !supportsThinking(template.source, tokenizer)) return undefined;
  const continued = continueFinalMessage ? messages.at(-1)?.content : "";
  return {
    state: thinkingState(prompt.text, contentText(continued ?? "")),
    isSeparate: separateReasoning ?? true,
  };
}
