import type { ChatAnswer } from "../chat/answer-types.ts";
import { EVENT_STREAM, eventStream } from "./sse.ts";

/** A streamed answer whose first token has come. */
export interface BegunStream<Event> {
  readonly events: AsyncIterator<Event>;
  /** The answers that the events are made of. */
  readonly answers: readonly ChatAnswer[];
}

/**
 * Streams events as server-sent events. The model stops when the reader cancels the stream or the
 * request is aborted.
 *
 * @param begin starts the answers; `signal` aborts in both cases. What it throws is thrown here, so
 *   that it can still decide the HTTP status.
 * @param nameOf the `event:` line of an event, for streams whose events are named
 */
export async function streamResponse<Event>(
  request: Request,
  begin: (signal: AbortSignal) => Promise<BegunStream<Event>>,
  nameOf?: (event: Event) => string,
): Promise<Response> {
  const closed = new AbortController();
  const signal = AbortSignal.any([request.signal, closed.signal]);
  const { events, answers } = await begin(signal);
  const stop = async () => {
    closed.abort(); // ends a step that is running
    await Promise.all(answers.map(({ deltas }) => deltas.return())); // ends a wait for the next step
  };
  return new Response(eventStream(events, signal, stop, nameOf), { headers: EVENT_STREAM });
}
