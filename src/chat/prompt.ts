import type { PreparedImage } from "../engine/generation.ts";
import type { ImageProcessor } from "../models/model.ts";
import {
  type ChatTemplate,
  TemplateError,
  type TemplateMessage,
  type TemplatePart,
} from "../text/template.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { cutAtEnd, markEnd } from "./continuation.ts";
import type { Message } from "./messages.ts";
import { RequestError } from "./request-error.ts";

/** A conversation as token ids. */
export interface Prompt {
  /** The rendered template with its images expanded: what `ids` are the tokens of. */
  readonly text: string;
  readonly ids: readonly number[];
  /** How many of the ids stand for image rows. */
  readonly imageTokens: number;
}

export interface PromptParts {
  readonly template: ChatTemplate;
  readonly tokenizer: Tokenizer;
  readonly processor: ImageProcessor;
}

export interface PromptOptions {
  /** Variables for the chat template. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
  /** Go on with the last message, which is the assistant's, instead of answering it. */
  readonly continueFinalMessage?: boolean;
}

/**
 * Renders the chat template, puts each image's own text where the template has a placeholder, and
 * tokenizes the result. Placeholders that somebody wrote into a message stay plain text.
 *
 * @param images in message order
 * @throws RequestError when the template refuses the messages or drops an image, or there is
 * nothing to continue
 */
export function buildPrompt(
  { template, tokenizer, processor }: PromptParts,
  messages: readonly Message[],
  images: readonly PreparedImage[],
  { templateVariables, continueFinalMessage = false }: PromptOptions = {},
): Prompt {
  const { placeholder, imageTokenId } = processor;
  const imageToken = tokenizer.token(imageTokenId);
  const literals = imageToken === undefined ? [placeholder] : [placeholder, imageToken];
  const [mark, end] = unusedCharacters(messages);
  const guarded = messages.map((message) => guard(message, literals, mark));
  const ended = continueFinalMessage ? markEnd(guarded, end) : guarded;
  const whole = render(
    template,
    ended.map((message) => forTemplate(message, template, placeholder)),
    { ...templateVariables, ...(continueFinalMessage && { add_generation_prompt: false }) },
  );
  const rendered = continueFinalMessage ? cutAtEnd(whole, end) : whole;

  const around = rendered.split(placeholder);
  if (around.length - 1 !== images.length) {
    const message = `The model's chat template has places for ${around.length - 1} of ${images.length} images in these messages.`;
    throw new RequestError("invalid_value", "messages", message);
  }
  const expanded = around.reduce((text, next, i) => text + images[i - 1]?.layout.prompt + next);

  // Cut at the marks, so that the tokenizer never sees a guarded literal in one piece.
  const { bos_token: bos } = tokenizer.namedTokens;
  const ids = expanded.split(mark).flatMap((piece, i) =>
    tokenizer.encode(piece, {
      addSpecialTokens: i === 0 && !(bos !== undefined && piece.startsWith(bos)),
    }),
  );
  const imageTokens = ids.filter((id) => id === imageTokenId).length;
  const expected = images.reduce((sum, { layout }) => sum + layout.tokenCount, 0);
  if (imageTokens !== expected) {
    throw new Error(`buildPrompt: ${imageTokens} image tokens in the prompt, expected ${expected}`);
  }
  return { text: expanded.replaceAll(mark, ""), ids, imageTokens };
}

function render(
  template: ChatTemplate,
  messages: readonly TemplateMessage[],
  variables: Readonly<Record<string, unknown>>,
): string {
  try {
    return template.render(messages, variables);
  } catch (cause) {
    if (!(cause instanceof TemplateError)) throw cause;
    throw new RequestError("invalid_value", "messages", cause.message, { cause });
  }
}

/** Two private-use characters that no message contains. */
function unusedCharacters(messages: readonly Message[]): readonly [string, string] {
  const used = new Set(JSON.stringify(messages));
  const unused: string[] = [];
  for (let code = 0xe000; code < 0xf900; code++) {
    const character = String.fromCharCode(code);
    if (!used.has(character)) unused.push(character);
    if (unused.length === 2) return unused as [string, string];
  }
  throw new RequestError("invalid_value", "messages", "Too many private-use characters.");
}

/**
 * Puts `mark` behind the first character of each literal in a message's text. A literal that is
 * spread over several parts is found too, since templates may write these without a gap.
 */
function guard(message: Message, literals: readonly string[], mark: string): Message {
  if (typeof message.content === "string") {
    return { ...message, content: guardTexts([message.content], literals, mark)[0] as string };
  }
  const texts = message.content.flatMap((part) => (part.type === "text" ? [part.text] : []));
  const guarded = guardTexts(texts, literals, mark);
  let next = 0;
  return {
    ...message,
    content: message.content.map((part) =>
      part.type === "text" ? { ...part, text: guarded[next++] as string } : part,
    ),
  };
}

function guardTexts(texts: readonly string[], literals: readonly string[], mark: string) {
  const whole = texts.join("");
  const cuts = new Set<number>();
  for (const literal of literals) {
    for (let at = whole.indexOf(literal); at >= 0; at = whole.indexOf(literal, at + 1)) {
      cuts.add(at + 1);
    }
  }
  let offset = 0;
  return texts.map((text) => {
    const start = offset;
    offset += text.length;
    const inside = [...cuts].filter((cut) => cut > start && cut <= offset);
    return inside.reduceRight(
      (marked, cut) => marked.slice(0, cut - start) + mark + marked.slice(cut - start),
      text,
    );
  });
}

/** The forms of role and content that the template knows. */
function forTemplate(
  { role, content, name }: Message,
  template: ChatTemplate,
  placeholder: string,
): TemplateMessage {
  const known = { role: role === "developer" ? "system" : role, ...(name && { name }) };
  const { string, list } = template.content;
  if (typeof content === "string") {
    return { ...known, content: string || !list ? content : [{ type: "text", text: content }] };
  }
  const parts = content.map((part): TemplatePart =>
    part.type === "text" ? part : { type: "image" },
  );
  if (list || !string) return { ...known, content: parts };
  const texts = parts.map((part) => (part.type === "text" ? part.text : placeholder));
  return { ...known, content: texts.join("\n") };
}
