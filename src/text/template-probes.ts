import type { ChatTemplate, TemplateAbilities, TemplateMessage, TemplatePart } from "./template.ts";

type Render = ChatTemplate["render"];

const PROBE = "probe-of-content";
const PROBE_LIST: readonly TemplatePart[] = [{ type: "text", text: PROBE }];
const PROBE_NAME = "probe_of_name";
const PROBE_RESULT = "probe-of-result";

/** Finds the forms of a message's content that a template writes, by rendering a probe. */
export function contentForms(render: Render): ChatTemplate["content"] {
  const writes = (content: TemplateMessage["content"]) => {
    const text = rendered(render, [{ role: "user", content }]);
    return text.includes(PROBE) && !/["']text["']/.test(text); // not printed as a list
  };
  return { string: writes(PROBE), list: writes(PROBE_LIST) };
}

/** Finds the other parts of a conversation that a template writes, by rendering probes. */
export function abilities(
  render: Render,
  source: string,
  { string }: ChatTemplate["content"],
): TemplateAbilities {
  const content = (text: string) => (string ? text : [{ type: "text" as const, text }]);
  const user: TemplateMessage = { role: "user", content: content("Hello") };
  const writes = (message: TemplateMessage) => rendered(render, [message, user]).includes(PROBE);
  // Many templates write every role's name. Only the source shows whether it has a form of its own.
  const names = (role: string) => new RegExp(`["']${role}["']`).test(source);

  const tool = {
    type: "function",
    function: { name: PROBE_NAME, description: PROBE, parameters: { type: "object" } },
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
  const tools = rendered(render, [user], { tools: [tool] }).includes(PROBE_NAME);
  const called = rendered(render, [user, call, result("42")]);
  const answered = rendered(render, [user, call, result(PROBE_RESULT)]);
  return {
    system: writes({ role: "system", content: content(PROBE) }),
    developer: names("developer") && writes({ role: "developer", content: content(PROBE) }),
    tools,
    toolCalls: called.includes(PROBE),
    toolResults: (tools || names("tool")) && answered.includes(PROBE_RESULT),
  };
}

/** @returns the prompt, or "" where the template refuses */
function rendered(
  render: Render,
  messages: readonly TemplateMessage[],
  variables?: Readonly<Record<string, unknown>>,
): string {
  try {
    return render(messages, variables);
  } catch {
    return "";
  }
}
