import type { ToolCall } from "./tools.ts";

/** A message of a conversation, in OpenAI's shape. */
export interface ChatMessage {
  readonly role: "system" | "developer" | "user" | "assistant" | "tool" | "function";
  readonly content: string | readonly ContentPart[];
  readonly name?: string;
  /** An assistant's. */
  readonly toolCalls?: readonly ToolCall[];
  /** A tool's: the id of the call that it answers. */
  readonly toolCallId?: string;
  /** An assistant's: what it thought before it wrote `content`. */
  readonly reasoning?: string;
}

export type ContentPart = TextPart | ImagePart;

export interface TextPart {
  readonly type: "text";
  readonly text: string;
}

export interface ImagePart {
  readonly type: "image_url";
  readonly image_url: {
    /** http(s), data, blob or relative URL, or bare base64. */
    readonly url: string;
    readonly detail?: DetailLevel;
  };
}

/** How much of a model's budget an image may take. */
export type DetailLevel = "auto" | "low" | "high";
