import type { CheckpointFiles } from "../models/model.ts";
import { JinjaTemplate } from "./jinja/interpreter.ts";
import type { TemplateMessage } from "./template-message.ts";
import {
  abilities,
  afterAnswer,
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
  /** What it writes between an assistant's text and the next message. */
  readonly afterAnswer: string;
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
 * Reads a checkpoint's chat template, in transformers' order: `chat_template` in
 * processor_config.json, chat_template.json, chat_template.jinja with additional_chat_templates/, and
 * tokenizer_config.json. The first that has one counts. The tokenizer's may be of the text model that
 * the checkpoint was made from, without a place for images.
 *
 * @param namedTokens `bos_token`, `eos_token`, ... for the template
 * @param fallback the template for checkpoints without one
 * @throws TemplateError when there is none, none is the default, or one is not valid Jinja
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
  return {
    source,
    content,
    writes: abilities(render, source, content),
    afterAnswer: afterAnswer(render, content),
    render,
  };
}

/** @returns the template for plain chat and, where the checkpoint has one, the template for tools */
function sourcesIn(
  files: CheckpointFiles,
  fallback: string | undefined,
): { plain: string; tools?: string } {
  const within = (file: string) =>
    (files[file] as { chat_template?: unknown } | undefined)?.chat_template;
  const found =
    within("processor_config.json") ??
    within("chat_template.json") ??
    separateFiles(files) ??
    within("tokenizer_config.json") ??
    fallback;
  if (typeof found === "string") return { plain: found };
  const { default: plain, tool_use: tools } = byName(found);
  if (typeof plain !== "string") {
    throw new TemplateError(
      found
        ? `chat template: none is named "default": ${Object.keys(byName(found)).join(", ")}`
        : "chat template: none in processor_config.json, chat_template.json, chat_template.jinja " +
            "or tokenizer_config.json",
    );
  }
  return typeof tools === "string" ? { plain, tools } : { plain };
}

/** @returns the templates in files of their own by name; undefined when there is none */
function separateFiles(files: CheckpointFiles): object | undefined {
  const additional = (name: string) => files[`additional_chat_templates/${name}.jinja`];
  const plain = files["chat_template.jinja"] ?? additional("default");
  const tools = additional("tool_use");
  return plain || tools ? { default: plain, tool_use: tools } : undefined;
}

/** @param found templates by name, or a list of them with their names */
function byName(found: unknown): Readonly<Record<string, unknown>> {
  if (!Array.isArray(found)) return (found ?? {}) as Record<string, unknown>;
  const list = found as readonly { readonly name: string; readonly template: unknown }[];
  return Object.fromEntries(list.map(({ name, template }) => [name, template]));
}

function parse(text: string): JinjaTemplate {
  try {
    return new JinjaTemplate(text);
  } catch (cause) {
    throw new TemplateError(`chat template: ${(cause as Error).message}`, { cause });
  }
}
