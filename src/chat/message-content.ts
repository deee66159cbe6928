import type { ChatMessage, ContentPart } from "./messages.ts";

type Content = ChatMessage["content"];

/** Joins two contents with a text between them. Adjacent texts become one part. */
export function joinContent(before: Content, between: string, after: Content): Content {
  if (typeof before === "string" && typeof after === "string") return before + between + after;
  const first = partsOf(before);
  const second = partsOf(after);
  const last = first.at(-1);
  const next = second[0];
  const text =
    (last?.type === "text" ? last.text : "") + between + (next?.type === "text" ? next.text : "");
  return [
    ...(last?.type === "text" ? first.slice(0, -1) : first),
    ...(text === "" ? [] : [{ type: "text" as const, text }]),
    ...(next?.type === "text" ? second.slice(1) : second),
  ];
}

/** Puts a content between two texts. */
export function encloseContent(begin: string, content: Content, end: string): Content {
  return joinContent(joinContent(begin, "", content), "", end);
}

/** The concatenated texts of a content. */
export function contentText(content: Content): string {
  return partsOf(content)
    .map((part) => (part.type === "text" ? part.text : ""))
    .join("");
}

function partsOf(content: Content): readonly ContentPart[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}
