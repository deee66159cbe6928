import type { ImageErrorCode } from "./image-error.ts";

/** What is wrong with a request, in OpenAI's words. */
export type RequestErrorCode = "invalid_value" | "context_length_exceeded" | ImageErrorCode;

/** A content part of a conversation, by its indices. */
export interface PartPosition {
  readonly message: number;
  readonly part: number;
}

/** What an error is about: a field of the request, or a content part of a message. */
export type ErrorSubject = RequestField | PartPosition;

export type RequestField =
  | "messages"
  | "prompt"
  | "format"
  | "tools"
  | "toolChoice"
  | "continueFinalMessage"
  | "minTokens"
  | "logitBias";

/** Thrown when a request can't be answered as it is; sending it again would not help. */
export class RequestError extends Error {
  override name = "RequestError";
  readonly code: RequestErrorCode;
  readonly subject: ErrorSubject;

  /**
   * @param message a sentence; for `invalid_value` the end of one that begins with the subject, such
   *   as "expected at most 2 images, but got 3."
   */
  constructor(
    code: RequestErrorCode,
    subject: ErrorSubject,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.subject = subject;
  }
}
