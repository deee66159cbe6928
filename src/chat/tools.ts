import type { JsonSchema } from "./format.ts";
import { RequestError } from "./request-error.ts";

/** A function that the model may call, in OpenAI's shape, which chat templates read too. */
export interface Tool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string;
    /** JSON schema of the arguments; undefined for a function without arguments. */
    readonly parameters?: JsonSchema;
    /** Make the arguments of every call match `parameters`. */
    readonly strict?: boolean;
  };
}

/** Whether the model may, must not or must call a tool, or must call the named tool. */
export type ChatToolChoice = "auto" | "none" | "required" | { readonly name: string };

/** A past call, in a message from the assistant. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON of an object. */
  readonly arguments: string;
}

/** What one token adds to a tool call. */
export interface ToolCallDelta {
  /** The index of the call in its choice. */
  readonly index: number;
  /** Only in the first delta of a call. */
  readonly id?: string;
  /** Only in the first delta of a call. */
  readonly name?: string;
  /** Follows the arguments of earlier deltas. */
  readonly arguments: string;
}

/**
 * The tools that the prompt describes: all, none, or only the one that must be called.
 *
 * @throws RequestError when the choice requires a tool that is not in `tools`
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
