import { type ErrorSubject, RequestError, type RequestField } from "../chat/request-error.ts";
import { badRequest } from "./errors.ts";

/** Names the part of a request that an error is about, such as `messages[0].content`. */
export type PathOf = (subject: ErrorSubject) => string;

/** The names of fields that are the same in every endpoint that has them. */
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
 * Asks the chat layer, and names what its errors are about.
 *
 * @throws OpenAIError for a RequestError; everything else as it is
 */
export async function withPaths<T>(pathOf: PathOf, ask: () => T | Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw badRequest(error, pathOf(error.subject));
  }
}
