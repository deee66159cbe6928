import type { ChatAnswer } from "../chat/answer-types.ts";
import { EVENT_STREAM, eventStream } from "./sse.ts";

/** A streamed answer after its first token. */
export interface BegunStream<Event> {
  readonly events: AsyncIterator<Event>;
  /** The answers behind the events, to stop the model. */
  readonly answers: readonly ChatAnswer[];
}

/**
 * Responds with a stream of server-sent events. The model stops when the reader cancels the stream
 * or when the request is aborted.
 *
 * @param begin starts the answers. Its `signal` aborts in both cases.
 * @param nameOf the `event:` line of an event, for streams of named events
 * @throws what `begin` throws, so that it can still decide the HTTP status
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
