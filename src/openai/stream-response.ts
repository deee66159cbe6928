import type { ChatAnswer } from "../chat/answer-types.ts";
import { EVENT_STREAM, eventStream } from "./sse.ts";

/** A streamed answer. */
export interface BegunStream<Event> {
  readonly events: AsyncIterator<Event>;
  /** The answers behind the events, to stop the model. */
  readonly answers: readonly ChatAnswer[];
}

/** Time in ms for preparing images and prompt. A failure within it decides the HTTP status. */
const PREPARING_MS = 1000;

/** Time in ms for the first event. A failure within it decides the HTTP status. */
const FIRST_EVENT_MS = 50;

/**
 * Responds with a stream of server-sent events. The model stops when the reader cancels the stream
 * or when the request is aborted.
 *
 * Clients give up when headers take long, so the headers do not wait for the first event. Until that
 * event, the stream sends comments.
 *
 * @param begin starts the answers. Its `signal` aborts in both cases.
 * @param nameOf the `event:` line of an event, for streams of named events
 * @throws what `begin`, or the first event, throws soon, so that it decides the HTTP status. A later
 *   failure is an event.
 */
export async function streamResponse<Event>(
  request: Request,
  begin: (signal: AbortSignal) => Promise<BegunStream<Event>>,
  nameOf?: (event: Event) => string,
): Promise<Response> {
  const closed = new AbortController();
  const signal = AbortSignal.any([request.signal, closed.signal]);
  const begun = begin(signal);
  const first = begun.then(({ events }) => events.next());
  first.catch(() => {}); // The waits below or the stream report it.
  await soon(begun, PREPARING_MS);
  await soon(first, FIRST_EVENT_MS);
  const stop = async () => {
    closed.abort(); // ends a step that is running
    const { answers } = await begun.catch(() => ({ answers: [] }));
    await Promise.all(answers.map(({ deltas }) => deltas.return())); // ends a wait for the next step
  };
  const events = resumed(begun, first);
  return new Response(eventStream(events, signal, stop, nameOf), { headers: EVENT_STREAM });
}

/** @throws what `promise` throws within a time; waits no longer than that */
async function soon(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** All events. The first one was requested already. */
async function* resumed<Event>(
  begun: Promise<BegunStream<Event>>,
  first: Promise<IteratorResult<Event>>,
): AsyncGenerator<Event, void, void> {
  const { events } = await begun;
  for (let next = await first; !next.done; next = await events.next()) yield next.value;
}
