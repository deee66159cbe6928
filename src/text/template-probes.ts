import { RaisedError } from "./jinja/globals.ts";
import type { TemplateMessage, TemplatePart } from "./template-message.ts";

/** Renders a conversation with further variables. Throws what the template throws, as `cause`. */
type Render = (
  messages: readonly TemplateMessage[],
  variables?: Readonly<Record<string, unknown>>,
) => string;

/** The forms of `content` that a template writes; many published templates know only one. */
export interface ContentForms {
  readonly string: boolean;
  readonly list: boolean;
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

const PROBE = "probe-of-content";
const PROBE_LIST: readonly TemplatePart[] = [{ type: "text", text: PROBE }];
const PROBE_NAME = "probe_of_name";
const PROBE_RESULT = "probe-of-result";

/** Finds the forms of a message's content that a template writes, by rendering a probe. */
export function contentForms(render: Render): ContentForms {
  const writes = (content: TemplateMessage["content"]) => {
    const { text = "" } = attempt(render, [{ role: "user", content }]);
    return text.includes(PROBE) && !/["']text["']/.test(text); // not printed as a list
  };
  return { string: writes(PROBE), list: writes(PROBE_LIST) };
}

/**
 * Finds the other parts of a conversation that a template writes, by rendering probes. A template that
 * fails on a probe of tools, without refusing them itself, counts as one that writes them: then a
 * request with tools gets the template's error, and never a prompt in another model's form.
 */
export function abilities(
  render: Render,
  source: string,
  { string }: ContentForms,
): TemplateAbilities {
  const content = (text: string) => (string ? text : [{ type: "text" as const, text }]);
  const user: TemplateMessage = { role: "user", content: content("Hello") };
  const writes = (message: TemplateMessage) =>
    attempt(render, [message, user]).text?.includes(PROBE) ?? false;
  // Many templates write every role's name. Only the source shows whether it has a form of its own.
  const names = (role: string) => new RegExp(`["']${role}["']`).test(source);

  const tool = {
    type: "function",
    function: {
      name: PROBE_NAME,
      description: PROBE,
      parameters: {
        type: "object",
        properties: { a: { type: "string", description: PROBE } },
        required: ["a"],
      },
    },
  };
  const call: TemplateMessage = {
    role: "assistant",
    content: content(""),
    tool_calls: [
      {
        id: "call00000",
        type: "function",
        function: { name: PROBE_NAME, arguments: { a: PROBE } },
      },
    ],
  };
  const result = (text: string): TemplateMessage => ({
    role: "tool",
    content: content(text),
    name: PROBE_NAME,
    tool_call_id: "call00000",
  });
  const tools = writesOrFails(attempt(render, [user], { tools: [tool] }), PROBE_NAME);
  const called = attempt(render, [user, call, result("42")]);
  const answered = attempt(render, [user, call, result(PROBE_RESULT)]);
  return {
    system: writes({ role: "system", content: content(PROBE) }),
    developer: names("developer") && writes({ role: "developer", content: content(PROBE) }),
    tools,
    toolCalls: writesOrFails(called, PROBE),
    toolResults: (tools || names("tool")) && writesOrFails(answered, PROBE_RESULT),
  };
}

/**
 * Finds what a template writes between an assistant's text and the next message: what ends a turn, and
 * what begins one. Empty where it drops or refuses such a conversation.
 */
export function afterAnswer(render: Render, { string }: ContentForms): string {
  const content = (text: string) => (string ? text : [{ type: "text" as const, text }]);
  const { text = "" } = attempt(render, [
    { role: "user", content: content("Hello") },
    { role: "assistant", content: content(PROBE) },
    { role: "user", content: content("Hello") },
  ]);
  const start = text.indexOf(PROBE);
  return start < 0 ? "" : text.slice(start + PROBE.length);
}

interface Attempt {
  readonly text?: string;
  /** Whether the template failed by itself, without calling `raise_exception`. */
  readonly failed: boolean;
}

function writesOrFails({ text, failed }: Attempt, wanted: string): boolean {
  return failed || (text?.includes(wanted) ?? false);
}

function attempt(
  render: Render,
  messages: readonly TemplateMessage[],
  variables?: Readonly<Record<string, unknown>>,
): Attempt {
  try {
    return { text: render(messages, variables), failed: false };
  } catch (error) {
    return { failed: !((error as Error).cause instanceof RaisedError) };
  }
}
