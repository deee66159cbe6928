import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { TemplateMessage } from "./template-message.ts";
import { chatTemplate } from "./template.ts";

interface Case {
  readonly name: string;
  readonly template: string;
  readonly messages: readonly TemplateMessage[];
  readonly tools: readonly unknown[] | null;
  readonly prompt?: string;
  readonly reference_refuses?: string;
}

/** Constructs of published chat templates, with the prompts that transformers 5.23 writes. */
const cases = JSON.parse(
  readFileSync(join(import.meta.dirname, "published-constructs.json"), "utf8"),
) as readonly Case[];

test.each(cases.map((recorded) => [recorded.name, recorded] as const))("%s", (_, recorded) => {
  const template = chatTemplate({ "chat_template.jinja": recorded.template }, {});
  // Requests have the arguments as JSON text. Templates read an object.
  const messages = recorded.messages.map((message) => ({
    ...message,
    ...(message.tool_calls && { tool_calls: message.tool_calls.map(withParsedArguments) }),
  }));
  const variables = recorded.tools ? { tools: recorded.tools } : {};
  if (recorded.prompt === undefined) {
    expect(() => template.render(messages, variables)).toThrow("chat template: no system");
    return;
  }
  expect(template.render(messages, variables)).toBe(recorded.prompt);
  // A template that writes tools is used for them, whatever its construct.
  if (recorded.tools) expect(template.writes.tools).toBe(true);
});

function withParsedArguments<T extends { readonly function: { readonly arguments: unknown } }>(
  call: T,
): T {
  const { arguments: text } = call.function;
  const parsed = typeof text === "string" ? (JSON.parse(text) as unknown) : text;
  return { ...call, function: { ...call.function, arguments: parsed } };
}
