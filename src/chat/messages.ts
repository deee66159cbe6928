import type { PixelRange } from "../models/model.ts";
import type { ToolCall } from "./tools.ts";

/** A message of a conversation, in OpenAI's shape. */
export interface ChatMessage {
  readonly role: "system" | "developer" | "user" | "assistant" | "tool" | "function";
  readonly content: string | readonly ContentPart[];
  readonly name?: string;
  /** Only in messages from the assistant. */
  readonly toolCalls?: readonly ToolCall[];
  /** Only in messages from a tool: the id of the call that it answers. */
  readonly toolCallId?: string;
  /** Only in messages from the assistant: the reasoning before `content`. */
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
    /** An http(s), data, blob or relative URL, or base64 without a URL. */
    readonly url: string;
    readonly detail?: DetailLevel;
    /** Limits of the image's size after the resize. Default: the checkpoint's. */
    readonly pixels?: PixelRange;
  };
}

/** How much of the model's token budget an image may take. */
export type DetailLevel = "auto" | "low" | "high";
