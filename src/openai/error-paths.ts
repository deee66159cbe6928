import { type ErrorSubject, RequestError, type RequestField } from "../chat/request-error.ts";
import { badRequest } from "./errors.ts";

/** Names the part of a request that an error is about, such as `messages[0].content`. */
export type PathOf = (subject: ErrorSubject) => string;

/** The paths of fields. An endpoint where a path differs replaces it. */
export const FIELD_PATHS: Readonly<Record<RequestField, string>> = {
  messages: "messages",
  prompt: "prompt",
  format: "response_format",
  tools: "tools",
  toolChoice: "tool_choice",
  continueFinalMessage: "continue_final_message",
  minTokens: "min_tokens",
  logitBias: "logit_bias",
};

/**
 * Calls the chat layer and adds paths to its errors.
 *
 * @throws OpenAIError instead of a RequestError; every other error unchanged
 */
export async function withPaths<T>(pathOf: PathOf, ask: () => T | Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw badRequest(error, pathOf(error.subject));
  }
}
