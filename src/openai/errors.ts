import type { ImageError } from "../chat/image-error.ts";
import type { RequestError } from "../chat/request-error.ts";
import { QueueFullError } from "../engine/generation.ts";
import { GrammarError } from "../grammar/grammar-error.ts";
import { DeviceLostError, OutOfMemoryError } from "../platform/device-error.ts";
import type { ErrorBody } from "./wire.ts";

/** Optional fields of an `OpenAIError`. */
export interface ErrorDetails {
  readonly type?: string;
  readonly code?: string | null;
  /** The path of the offending part, such as `messages[0].content[1].image_url.url`. */
  readonly param?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An error with an HTTP status and OpenAI's error body. */
export class OpenAIError extends Error {
  override name = "OpenAIError";
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.status = status;
    this.type = details.type ?? (status < 500 ? "invalid_request_error" : "server_error");
    this.code = details.code ?? null;
    this.param = details.param ?? null;
    this.headers = details.headers ?? {};
  }

  get body(): ErrorBody {
    const { message, type, param, code } = this;
    return { error: { message, type, param, code } };
  }

  /** Clients may retry if the response has `retry-after`; otherwise `x-should-retry` is false. */
  toResponse(): Response {
    const headers = new Headers(this.headers);
    if (!headers.has("retry-after")) headers.set("x-should-retry", "false");
    return Response.json(this.body, { status: this.status, headers });
  }
}

/**
 * The answer to a request that can't be answered as it is.
 *
 * @param param the path of the offending part, such as `messages[0].content[1].image_url.url`
 */
export function badRequest(error: RequestError | ImageError, param: string): OpenAIError {
  const { code } = error;
  const prefix = code === "invalid_value" ? `Invalid value for '${param}': ` : "";
  return new OpenAIError(400, prefix + error.message, { code, param, cause: error });
}

/** Converts anything that was thrown to the error that clients receive. */
export function toOpenAIError(error: unknown): OpenAIError {
  if (error instanceof OpenAIError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof QueueFullError) {
    return new OpenAIError(429, message, {
      type: "rate_limit_error",
      code: "queue_full",
      headers: { "retry-after": "1" },
      cause: error,
    });
  }
  if (error instanceof GrammarError) {
    const details = `The format that the answer must match can't be followed: ${message}.`;
    return new OpenAIError(400, details, { code: "invalid_value", cause: error });
  }
  if (error instanceof DeviceLostError) {
    const headers = { "retry-after": "2" };
    return new OpenAIError(503, message, { code: "device_lost", headers, cause: error });
  }
  const code = isOutOfMemory(error, message) ? "out_of_memory" : null;
  return new OpenAIError(500, message, { code, cause: error });
}

/** JavaScript engines report this by a RangeError's message only, WebGPU and this library by class. */
function isOutOfMemory(error: unknown, message: string): boolean {
  const { name, constructor } = Object(error) as Error;
  return (
    error instanceof OutOfMemoryError ||
    /OutOfMemory/.test(`${name} ${constructor?.name}`) ||
    /out of memory|memory allocation|allocation failed/i.test(message)
  );
}

export function modelLoading(): OpenAIError {
  return new OpenAIError(503, "The model is still loading.", {
    code: "model_loading",
    headers: { "retry-after": "2" },
  });
}

/** @param loaded the ids of the loaded models */
export function modelNotFound(model: string, loaded: readonly string[]): OpenAIError {
  const names = loaded.map((id) => `'${id}'`).join(", ") || "none";
  return new OpenAIError(404, `The model '${model}' is not loaded. Loaded: ${names}.`, {
    code: "model_not_found",
    param: "model",
  });
}
