import type { CheckpointFiles } from "../models/model.ts";
import { JinjaTemplate } from "./jinja/interpreter.ts";
import { abilities, contentForms } from "./template-probes.ts";

/** A message in the form that chat templates read. */
export interface TemplateMessage {
  readonly role: string;
  readonly content: string | readonly TemplatePart[];
  readonly name?: string;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly TemplateToolCall[];
  readonly tool_call_id?: string;
}

/** A tool call in the form that chat templates read: its arguments are an object, not JSON text. */
export interface TemplateToolCall {
  readonly id: string;
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly arguments: Readonly<Record<string, unknown>>;
  };
}

export type TemplatePart =
  { readonly type: "text"; readonly text: string } | { readonly type: "image" };

/** Thrown when a template is invalid, fails, or refuses the messages. */
export class TemplateError extends Error {
  override name = "TemplateError";
}

/** A checkpoint's chat template. */
export interface ChatTemplate {
  /** The Jinja source. Where plain chat and tools have templates of their own, both of them. */
  readonly source: string;
  /** The forms of `content` that it writes; many published templates know only one. */
  readonly content: { readonly string: boolean; readonly list: boolean };
  /** The other parts of a conversation that it writes. */
  readonly writes: TemplateAbilities;
  /**
   * Writes the prompt of a conversation, up to the start of the answer.
   *
   * @param variables further variables for the template, such as `enable_thinking`
   * @throws TemplateError with the template's own message
   */
  render(
    messages: readonly TemplateMessage[],
    variables?: Readonly<Record<string, unknown>>,
  ): string;
}

/** The parts of a conversation that a template writes. It may drop or refuse the others. */
export interface TemplateAbilities {
  readonly system: boolean;
  /** Whether `developer` has a form of its own. */
  readonly developer: boolean;
  /** Whether it writes the variable `tools`. */
  readonly tools: boolean;
  /** Whether it writes the `tool_calls` of an assistant's message. */
  readonly toolCalls: boolean;
  /** Whether `tool` messages have a form of their own. */
  readonly toolResults: boolean;
}

/**
 * Reads a checkpoint's chat template from `chat_template.jinja`, `chat_template.json` or
 * `tokenizer_config.json`, the first that has one.
 *
 * @param namedTokens `bos_token`, `eos_token`, ... for the template
 * @param fallback the template for checkpoints without one
 * @throws TemplateError when there is none, or it is not valid Jinja
 */
export function chatTemplate(
  files: CheckpointFiles,
  namedTokens: Readonly<Record<string, string>>,
  fallback?: string,
): ChatTemplate {
  const sources = sourcesIn(files, fallback);
  const plain = parse(sources.plain);
  const withTools = sources.tools === undefined ? plain : parse(sources.tools);
  const render: ChatTemplate["render"] = (messages, variables) => {
    try {
      return (variables?.["tools"] ? withTools : plain).render({
        add_generation_prompt: true,
        tools: null, // as in transformers, for templates that test `tools is none`
        ...variables,
        ...namedTokens,
        messages,
      });
    } catch (cause) {
      throw new TemplateError(`chat template: ${(cause as Error).message}`, { cause });
    }
  };
  const source = Object.values(sources).join("\n");
  const content = contentForms(render);
  return { source, content, writes: abilities(render, source, content), render };
}

/** @returns the template for plain chat and, where the checkpoint has one, the template for tools */
function sourcesIn(
  files: CheckpointFiles,
  fallback: string | undefined,
): { plain: string; tools?: string } {
  const processor = files["chat_template.json"] as { chat_template?: unknown } | undefined;
  const tokenizer = files["tokenizer_config.json"] as { chat_template?: unknown } | undefined;
  const found =
    files["chat_template.jinja"] ??
    processor?.chat_template ??
    tokenizer?.chat_template ??
    fallback;
  const list = (Array.isArray(found) ? found : [{ template: found }]) as readonly {
    readonly name?: string;
    readonly template?: unknown;
  }[];
  const named = (wanted: string) => list.find(({ name }) => name === wanted)?.template;
  const plain = named("default") ?? list[0]?.template;
  const tools = named("tool_use");
  if (typeof plain !== "string") {
    throw new TemplateError(
      "chat template: none in chat_template.jinja, chat_template.json or tokenizer_config.json",
    );
  }
  return typeof tools === "string" ? { plain, tools } : { plain };
}

function parse(text: string): JinjaTemplate {
  try {
    return new JinjaTemplate(text);
  } catch (cause) {
    throw new TemplateError(`chat template: ${(cause as Error).message}`, { cause });
  }
}
