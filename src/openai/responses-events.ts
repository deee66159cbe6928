import type { ChatAnswer, Finish } from "../chat/answer-types.ts";
import { type OpenAIError, toOpenAIError } from "./errors.ts";
import { failedResponse, finishedResponse } from "./responses-object.ts";
import { ResponseOutput } from "./responses-output.ts";
import type {
  ErrorEvent,
  OutputEvent,
  ResponseEvent,
  ResponseObject,
  ResponseStep,
} from "./responses-wire.ts";

/**
 * Reads the answer to its end and returns it in one object.
 *
 * @param begun the response without its output
 */
export async function wholeResponse(
  { deltas, usage }: ChatAnswer,
  begun: ResponseObject,
): Promise<ResponseObject> {
  const output = new ResponseOutput();
  let finish: Finish | undefined;
  for await (const delta of deltas) {
    exhaust(output.push(delta));
    finish = delta.finish;
  }
  const status = statusOf(finish);
  exhaust(output.end(status));
  return finishedResponse(begun, output.items, usage, status);
}

/**
 * Returns the answer in events. The first comes with the first token, so that a failure before that is
 * no answer. A later failure becomes the events `response.failed` and `error`.
 *
 * @param begun the response without its output
 * @param signal when it aborts, its reason is thrown instead of an event
 * @param keep stores the complete response, before its last event
 */
export function responseEvents(
  answer: ChatAnswer,
  begun: ResponseObject,
  signal: AbortSignal,
  keep: (response: ResponseObject) => void,
): AsyncGenerator<ResponseEvent, void, void> {
  return numbered(steps(answer, begun, signal, keep));
}

async function* numbered(
  steps: AsyncIterable<ResponseStep>,
): AsyncGenerator<ResponseEvent, void, void> {
  let sequence_number = 0;
  for await (const step of steps) yield { ...step, sequence_number: sequence_number++ };
}

async function* steps(
  { deltas, usage }: ChatAnswer,
  begun: ResponseObject,
  signal: AbortSignal,
  keep: (response: ResponseObject) => void,
): AsyncGenerator<ResponseStep, void, void> {
  const first = await deltas.next();
  yield { type: "response.created", response: begun };
  yield { type: "response.in_progress", response: begun };
  const output = new ResponseOutput();
  let finish: Finish | undefined;
  try {
    for (let next = first; !next.done; next = await deltas.next()) {
      yield* output.push(next.value);
      finish = next.value.finish;
    }
  } catch (cause) {
    signal.throwIfAborted();
    const error = toOpenAIError(cause);
    const response = failedResponse(begun, output.items, usage, error);
    yield { type: "response.failed", response };
    yield errorEvent(error);
    return;
  }
  const status = statusOf(finish);
  yield* output.end(status);
  const response = finishedResponse(begun, output.items, usage, status);
  keep(response);
  yield { type: `response.${status}`, response };
}

function errorEvent({ body: { error } }: OpenAIError): ErrorEvent {
  const { code, message, param } = error;
  return { type: "error", code, message, param, error };
}

function statusOf(finish: Finish | undefined): "completed" | "incomplete" {
  return finish?.reason === "length" ? "incomplete" : "completed";
}

function exhaust(steps: Iterator<OutputEvent>): void {
  while (!steps.next().done);
}
