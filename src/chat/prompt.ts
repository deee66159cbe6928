import type { PreparedImage } from "../engine/generation.ts";
import type { ImageProcessor } from "../models/model.ts";
import { type ChatTemplate, TemplateError } from "../text/template.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { cutAtEnd, markEnd } from "./continuation.ts";
import { escapeMessage, escapeTool, unusedCharacters } from "./escape-placeholders.ts";
import type { ChatMessage } from "./messages.ts";
import { RequestError } from "./request-error.ts";
import { type TemplateVariant, templateVariants } from "./template-variants.ts";
import type { ToolFormat } from "./tool-format.ts";
import type { Tool } from "./tools.ts";

/** A prompt as text and as token ids. */
export interface TokenizedPrompt {
  /** The text of `ids`, with the placeholder of each image expanded to its tokens. */
  readonly text: string;
  readonly ids: readonly number[];
  /** How many of the ids stand for image embeddings. */
  readonly imageTokens: number;
  /** The format in which the model was asked to call tools; undefined without tools. */
  readonly toolFormat?: ToolFormat;
}

/** The parts of a chat model that a prompt depends on. */
export interface PromptModel {
  readonly template: ChatTemplate;
  readonly tokenizer: Tokenizer;
  readonly processor: ImageProcessor;
}

export interface PromptOptions {
  /** Variables for the chat template. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
  /** Continue the last message, which must be from the assistant, instead of answering it. */
  readonly continueFinalMessage?: boolean;
  /** The functions that the prompt describes. */
  readonly tools?: readonly Tool[];
}

/**
 * Renders the chat template, replaces the placeholder of each image by the image's tokens, and
 * tokenizes the result. Placeholders in the text of a message stay text. Tools, calls, results and
 * system messages that the template does not support become text of other messages.
 *
 * @param images in message order
 * @throws RequestError when the template refuses the messages or leaves out an image or a tool, when
 *   the model needs an image but there is none, or when there is no message to continue
 */
export function buildPrompt(
  { template, tokenizer, processor }: PromptModel,
  messages: readonly ChatMessage[],
  images: readonly PreparedImage[],
  options: PromptOptions = {},
): TokenizedPrompt {
  const { placeholder, imageTokenId, needsImage, frame } = processor;
  if (needsImage && images.length === 0) {
    throw refusal("this model needs an image, but the messages have none.");
  }
  const imageToken = tokenizer.token(imageTokenId);
  const literals = imageToken === undefined ? [placeholder] : [placeholder, imageToken];
  const { templateVariables, continueFinalMessage = false, tools = [] } = options;
  const [mark, end] = unusedCharacters([messages, tools]);
  const escaped = messages.map((message) => escapeMessage(message, literals, mark));
  const escapedTools = tools.map((tool) => escapeTool(tool, literals, mark));
  const ended = continueFinalMessage ? markEnd(escaped, end) : escaped;

  const forms = templateVariants(ended, escapedTools, template, placeholder);
  const { written: around, format } = firstWritten(forms, (form) => {
    const rendered = render(template, form.messages, {
      ...templateVariables,
      ...(continueFinalMessage && { add_generation_prompt: false }),
      ...(form.tools.length > 0 && { tools: form.tools }),
    });
    if (!tools.every((tool) => rendered.includes(tool.function.name))) {
      throw refusal("the chat template leaves out some of the tools.");
    }
    const pieces = (continueFinalMessage ? cutAtEnd(rendered, end) : rendered).split(placeholder);
    if (pieces.length - 1 === images.length) return pieces;
    throw refusal(
      `the chat template writes ${pieces.length - 1} of the ${images.length} images ` +
        `in these messages.`,
    );
  });
  const isOpen = continueFinalMessage;
  const pieces = frame?.(around, { isOpen }) ?? around;
  const expanded = pieces.reduce((text, next, i) => text + images[i - 1]?.layout.prompt + next);

  // Tokenized between the marks, so that the tokenizer never sees an escaped literal as a whole.
  const { bos_token: bos } = tokenizer.namedTokens;
  const ids = expanded.split(mark).flatMap((piece, i) =>
    tokenizer.encode(piece, {
      addSpecialTokens: i === 0 && !frame && !(bos !== undefined && piece.startsWith(bos)),
    }),
  );
  const imageTokens = ids.filter((id) => id === imageTokenId).length;
  const expected = images.reduce((sum, { layout }) => sum + layout.tokenCount, 0);
  if (imageTokens !== expected) {
    throw new Error(`buildPrompt: ${imageTokens} image tokens in the prompt, expected ${expected}`);
  }
  const text = expanded.replaceAll(mark, "");
  return { text, ids, imageTokens, ...(tools.length > 0 && { toolFormat: format }) };
}

/**
 * Writes the first form of a conversation that can be written.
 *
 * @throws the error of the first form, if none can be written
 */
function firstWritten<T>(
  forms: Iterable<TemplateVariant>,
  write: (form: TemplateVariant) => T,
): { written: T; format: ToolFormat } {
  let failure: unknown;
  for (const form of forms) {
    try {
      return { written: write(form), format: form.format };
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

function render(
  template: ChatTemplate,
  messages: TemplateVariant["messages"],
  variables: Readonly<Record<string, unknown>>,
): string {
  try {
    return template.render(messages, variables);
  } catch (cause) {
    if (!(cause instanceof TemplateError)) throw cause;
    throw refusal(cause.message, cause);
  }
}

function refusal(message: string, cause?: Error): RequestError {
  return new RequestError("invalid_value", "messages", message, { cause });
}
