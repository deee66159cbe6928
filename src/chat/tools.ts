import type { JsonSchema } from "./format.ts";

/** A function that the model may call, in OpenAI's shape: chat templates read it so. */
export interface Tool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string;
    /** JSON schema of the arguments; none takes no arguments. */
    readonly parameters?: JsonSchema;
    readonly strict?: boolean;
  };
}

/** Whether the model may, must or must not call a tool; a name: it must call this one. */
export type ToolChoice = "auto" | "none" | "required" | { readonly name: string };

/** A call that the model has made, in a message of the assistant. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON of an object. */
  readonly arguments: string;
}

/** What one more token brought to a tool call. */
export interface ToolCallDelta {
  /** Number of the call in its choice. */
  readonly index: number;
  /** With the first delta of a call. */
  readonly id?: string;
  readonly name?: string;
  /** Goes on after what came before. */
  readonly arguments: string;
}
