import type { CheckpointFiles } from "../models/model.ts";
import { JinjaTemplate } from "./jinja/interpreter.ts";
import type { TemplateMessage } from "./template-message.ts";
import {
  abilities,
  type ContentForms,
  contentForms,
  type TemplateAbilities,
} from "./template-probes.ts";

/** Thrown when a template is invalid, fails, or refuses the messages. */
export class TemplateError extends Error {
  override name = "TemplateError";
}

/** A checkpoint's chat template. */
export interface ChatTemplate {
  /** The Jinja source. Where plain chat and tools have templates of their own, both of them. */
  readonly source: string;
  /** The forms of `content` that it writes; many published templates know only one. */
  readonly content: ContentForms;
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
