import { Template } from "@huggingface/jinja";
import type { CheckpointFiles } from "../models/model.ts";
import { abilities, contentForms } from "./template-probes.ts";

/** A message as chat templates read it. */
export interface TemplateMessage {
  readonly role: string;
  readonly content: string | readonly TemplatePart[];
  readonly name?: string;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly TemplateToolCall[];
  readonly tool_call_id?: string;
}

/** A call of a tool as chat templates read it: the arguments are an object, not its JSON. */
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

/** Thrown when a template can't be read, or refuses the messages. */
export class TemplateError extends Error {
  override name = "TemplateError";
}

/** A checkpoint's chat template. */
export interface ChatTemplate {
  /** Its Jinja; of two, for plain chat and for tools, both. */
  readonly source: string;
  /** Which forms of `content` it writes; published templates may know only one. */
  readonly content: { readonly string: boolean; readonly list: boolean };
  /** What else of a conversation it writes, in a way of its own. */
  readonly writes: TemplateAbilities;
  /**
   * The prompt of a conversation, up to where the answer begins.
   *
   * @param variables what the template may use besides, such as `enable_thinking`
   * @throws TemplateError with the template's own words
   */
  render(
    messages: readonly TemplateMessage[],
    variables?: Readonly<Record<string, unknown>>,
  ): string;
}

/** What of a conversation a template writes; it may drop or refuse the rest. */
export interface TemplateAbilities {
  readonly system: boolean;
  /** Developers' messages as something else than other roles'. */
  readonly developer: boolean;
  /** The variable `tools`. */
  readonly tools: boolean;
  /** The `tool_calls` of an assistant's message. */
  readonly toolCalls: boolean;
  /** Tools' messages as something else than other roles'. */
  readonly toolResults: boolean;
}

/**
 * Reads a checkpoint's chat template from `chat_template.jinja`, `chat_template.json` or
 * `tokenizer_config.json`, the first that has one.
 *
 * @param namedTokens `bos_token`, `eos_token`, ... for the template
 * @param otherwise the template of checkpoints that have none
 * @throws TemplateError when there is none, or it is not valid Jinja
 */
export function chatTemplate(
  files: CheckpointFiles,
  namedTokens: Readonly<Record<string, string>>,
  otherwise?: string,
): ChatTemplate {
  const sources = sourcesIn(files, otherwise);
  const plain = parse(sources.plain);
  const withTools = sources.tools === undefined ? plain : parse(sources.tools);
  const render: ChatTemplate["render"] = (messages, variables) => {
    try {
      return (variables?.["tools"] ? withTools : plain).render({
        add_generation_prompt: true,
        tools: null, // as in the reference, for templates that ask whether it is none
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

/** The template for plain chat, and that for tools where it is another one. */
function sourcesIn(
  files: CheckpointFiles,
  otherwise: string | undefined,
): { plain: string; tools?: string } {
  const processor = files["chat_template.json"] as { chat_template?: unknown } | undefined;
  const tokenizer = files["tokenizer_config.json"] as { chat_template?: unknown } | undefined;
  const found =
    files["chat_template.jinja"] ??
    processor?.chat_template ??
    tokenizer?.chat_template ??
    otherwise;
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

function parse(text: string): Template {
  try {
    return new Template(text);
  } catch (cause) {
    throw new TemplateError(`chat template: ${(cause as Error).message}`, { cause });
  }
}
