import { Template } from "@huggingface/jinja";
import type { CheckpointFiles } from "../models/model.ts";

/** A message as chat templates read it. */
export interface TemplateMessage {
  readonly role: string;
  readonly content: string | readonly TemplatePart[];
  readonly name?: string;
}

export type TemplatePart =
  { readonly type: "text"; readonly text: string } | { readonly type: "image" };

/** Thrown when a template can't be read, or refuses the messages. */
export class TemplateError extends Error {
  override name = "TemplateError";
}

/** A checkpoint's chat template. */
export interface ChatTemplate {
  /** Which forms of `content` it writes; published templates may know only one. */
  readonly content: { readonly string: boolean; readonly list: boolean };
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

/**
 * Reads a checkpoint's chat template from `chat_template.jinja`, `chat_template.json` or
 * `tokenizer_config.json`, the first that has one.
 *
 * @param namedTokens `bos_token`, `eos_token`, ... for the template
 * @throws TemplateError when there is none, or it is not valid Jinja
 */
export function chatTemplate(
  files: CheckpointFiles,
  namedTokens: Readonly<Record<string, string>>,
): ChatTemplate {
  const template = parse(source(files));
  const render: ChatTemplate["render"] = (messages, variables) => {
    try {
      return template.render({
        add_generation_prompt: true,
        ...variables,
        ...namedTokens,
        messages,
      });
    } catch (cause) {
      throw new TemplateError(`chat template: ${(cause as Error).message}`, { cause });
    }
  };
  return { content: { string: writes(render, PROBE), list: writes(render, PROBE_LIST) }, render };
}

function source(files: CheckpointFiles): string {
  const processor = files["chat_template.json"] as { chat_template?: unknown } | undefined;
  const tokenizer = files["tokenizer_config.json"] as { chat_template?: unknown } | undefined;
  const found =
    files["chat_template.jinja"] ?? processor?.chat_template ?? tokenizer?.chat_template;
  const template = Array.isArray(found) ? namedDefault(found) : found;
  if (typeof template !== "string") {
    throw new TemplateError(
      "chat template: none in chat_template.jinja, chat_template.json or tokenizer_config.json",
    );
  }
  return template;
}

/** Of several named templates the one for plain chat. */
function namedDefault(list: readonly { name?: string; template?: unknown }[]): unknown {
  return (list.find(({ name }) => name === "default") ?? list[0])?.template;
}

function parse(text: string): Template {
  try {
    return new Template(text);
  } catch (cause) {
    throw new TemplateError(`chat template: ${(cause as Error).message}`, { cause });
  }
}

const PROBE = "probe-of-content";
const PROBE_LIST: readonly TemplatePart[] = [{ type: "text", text: PROBE }];

/** Whether a template writes this content as text, rather than refusing, dropping or dumping it. */
function writes(render: ChatTemplate["render"], content: TemplateMessage["content"]): boolean {
  try {
    const text = render([{ role: "user", content }]);
    return text.includes(PROBE) && !/["']text["']/.test(text);
  } catch {
    return false;
  }
}
