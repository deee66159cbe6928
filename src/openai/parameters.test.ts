import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { chatCompletionRequest, validateChatCompletion } from "./chat-completions-request.ts";
import { IGNORED_CHAT_FIELDS } from "./unknown-fields.ts";
import { UNSUPPORTED_CHAT_FIELDS } from "./unsupported.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/parameters.md"), "utf8");

/** The first cells of a section's tables. */
function parametersIn(section: string): string[] {
  const text = page.split(/^## /m).find((part) => part.startsWith(section)) ?? "";
  return [...text.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name as string).sort();
}

describe("docs/parameters.md", () => {
  test("lists exactly the supported parameters", () => {
    expect(parametersIn("Honoured")).toEqual(Object.keys(chatCompletionRequest.shape).sort());
    for (const option of ["include_usage", "continuous_usage_stats"]) {
      expect(page).toContain(`\`${option}\``);
    }
  });

  test("lists exactly the refused parameters, with their allowed values", () => {
    expect(parametersIn("Refused")).toEqual(Object.keys(UNSUPPORTED_CHAT_FIELDS).sort());
    const rows = page.matchAll(/^\| `(\w+)` +\| ([^|]*) \|$/gm);
    let checked = 0;
    for (const [, name, values] of rows) {
      const asksNothing = UNSUPPORTED_CHAT_FIELDS[name as string];
      if (!asksNothing) continue;
      for (const [, value] of (values as string).matchAll(/`([^`]+)`/g)) {
        const json = /^([["{]|-?\d|true|false)/.test(value as string)
          ? (JSON.parse(value as string) as unknown)
          : value;
        const body = { [name as string]: json, continue_final_message: true };
        expect(asksNothing(json, body), `${name} ${value}`).toBe(true);
        checked++;
      }
    }
    expect(checked).toBeGreaterThanOrEqual(Object.keys(UNSUPPORTED_CHAT_FIELDS).length - 3);
  });

  test("lists ignored parameters that are indeed ignored", () => {
    const names = parametersIn("Ignored");
    expect(names).toEqual([...IGNORED_CHAT_FIELDS].sort());
    const messages = [{ role: "user", content: "Hello" }];
    const body = { messages, ...Object.fromEntries(names.map((name) => [name, "anything"])) };
    expect(validateChatCompletion(body)).toEqual({ messages });
  });
});
