import type { JsonSchema } from "./format.ts";
import { RequestError } from "./request-error.ts";

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
export type ChatToolChoice = "auto" | "none" | "required" | { readonly name: string };

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

/**
 * The tools that the model is told of: of those with a choice of one, only that.
 *
 * @throws RequestError when the choice needs a tool that there is not
 */
export function toolsForChoice(
  tools: readonly Tool[] = [],
  choice: ChatToolChoice = "auto",
): readonly Tool[] {
  if (choice === "none") return [];
  if (choice === "auto") return tools;
  if (tools.length === 0) {
    throw refusal("a tool is required, but 'tools' has none.");
  }
  if (choice === "required") return tools;
  const named = tools.filter((tool) => tool.function.name === choice.name);
  if (named.length === 0) throw refusal(`'tools' has no function named '${choice.name}'.`);
  return named;
}

function refusal(message: string): RequestError {
  return new RequestError("invalid_value", "toolChoice", message);
}
