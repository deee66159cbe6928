import type { ChatMessage } from "./messages.ts";
import { RequestError } from "./request-error.ts";
import type { Tool } from "./tools.ts";

/**
 * Two private-use characters that a request does not contain.
 *
 * @throws RequestError when it contains all but one of them
 */
export function unusedCharacters(request: unknown): readonly [string, string] {
  const used = new Set(JSON.stringify(request));
  const unused: string[] = [];
  for (let code = 0xe000; code < 0xf900; code++) {
    const character = String.fromCharCode(code);
    if (!used.has(character)) unused.push(character);
    if (unused.length === 2) return unused as [string, string];
  }
  throw new RequestError(
    "invalid_value",
    "messages",
    "the text uses too many private-use characters.",
  );
}

/**
 * Puts `mark` after the first character of each literal in a message, so that the literal is text.
 * Literals that span several content parts are found too: templates may join parts without a gap.
 */
export function escapeMessage(
  message: ChatMessage,
  literals: readonly string[],
  mark: string,
): ChatMessage {
  const { content, toolCalls, reasoning } = message;
  return {
    ...message,
    content: escapeContent(content, literals, mark),
    ...(reasoning !== undefined && { reasoning: escapeText(reasoning, literals, mark) }),
    ...(toolCalls && {
      toolCalls: toolCalls.map((call) => ({
        ...call,
        // Escaped in the parsed value: in the JSON text, a literal may be hidden by JSON escapes.
        arguments: JSON.stringify(escapeJson(JSON.parse(call.arguments), literals, mark)),
      })),
    }),
  };
}

/** Escapes literals in a tool's description and schema. */
export function escapeTool(tool: Tool, literals: readonly string[], mark: string): Tool {
  return escapeJson(tool, literals, mark) as Tool;
}

/** Escapes literals in all strings of a JSON value, keys included. */
function escapeJson(value: unknown, literals: readonly string[], mark: string): unknown {
  if (typeof value === "string") return escapeText(value, literals, mark);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((element) => escapeJson(element, literals, mark));
  const escaped = Object.entries(value).map(([key, inner]) => [
    escapeText(key, literals, mark),
    escapeJson(inner, literals, mark),
  ]);
  return Object.fromEntries(escaped);
}

function escapeContent(
  content: ChatMessage["content"],
  literals: readonly string[],
  mark: string,
): ChatMessage["content"] {
  if (typeof content === "string") return escapeText(content, literals, mark);
  const texts = content.flatMap((part) => (part.type === "text" ? [part.text] : []));
  const escaped = escapeTexts(texts, literals, mark);
  let next = 0;
  return content.map((part) =>
    part.type === "text" ? { ...part, text: escaped[next++] as string } : part,
  );
}

function escapeText(text: string, literals: readonly string[], mark: string): string {
  return escapeTexts([text], literals, mark)[0] as string;
}

function escapeTexts(texts: readonly string[], literals: readonly string[], mark: string) {
  const joined = texts.join("");
  const cuts = new Set<number>();
  for (const literal of literals) {
    for (let at = joined.indexOf(literal); at >= 0; at = joined.indexOf(literal, at + 1)) {
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
