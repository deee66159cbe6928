import { expect, test, vi } from "vitest";
import { eventStream } from "./sse.ts";

const quiet = new AbortController().signal;
const settled = () => new Promise((resolve) => setTimeout(resolve));

/** Counts from 1 to `count`, and records how far it got. */
function counting(count: number): { events: AsyncGenerator<number>; produced: number[] } {
  const produced: number[] = [];
  const events = (async function* () {
    for (let i = 1; i <= count; i++) {
      produced.push(i);
      yield i;
    }
  })();
  return { events, produced };
}

const stop = (events: AsyncGenerator<number>) => async () => {
  await events.return(undefined);
};

test("events continue while nobody reads, and none is lost", async () => {
  const { events, produced } = counting(200);
  const stream = eventStream(events, quiet, stop(events));
  await settled();
  expect(produced).toHaveLength(200);
  const text = await new Response(stream).text();
  const expected = Array.from({ length: 200 }, (_, i) => `data: ${i + 1}\n\n`);
  expect(text).toBe(`${expected.join("")}data: [DONE]\n\n`);
});

test.each([
  ["a reader that cancels", async (stream: ReadableStream) => stream.cancel()],
  [
    "a reader that cancels between two events",
    async (stream: ReadableStream) => {
      const reader = stream.getReader();
      await reader.read();
      await reader.cancel();
    },
  ],
])("%s ends the events", async (_, leave) => {
  let ended = false;
  let produced = 0;
  const events = (async function* () {
    try {
      for (;;) {
        await settled();
        yield produced++;
      }
    } finally {
      ended = true;
    }
  })();
  await leave(eventStream(events, quiet, stop(events)));
  await settled();
  expect(ended).toBe(true);
  const before = produced;
  await settled();
  expect(produced).toBe(before);
});

test("an abort fails the stream despite unread events, and ends the events", async () => {
  const controller = new AbortController();
  const { events, produced } = counting(3);
  let stopped = 0;
  const stream = eventStream(events, controller.signal, async () => {
    stopped++;
    await stop(events)();
  });
  await settled();
  expect(produced).toEqual([1, 2, 3]);
  controller.abort(new Error("enough"));
  await expect(new Response(stream).text()).rejects.toThrow();
  expect(stopped).toBe(1);
});

test("a failure is the last event", async () => {
  const events = (async function* () {
    yield 1;
    throw new Error("broken");
  })();
  const text = await new Response(eventStream(events, quiet, stop(events))).text();
  expect(text).toMatch(/^data: 1\n\ndata: \{"error":\{[^\n]*\}\}\n\n$/);
});

test("a stream that waits has a comment at once, and one every five seconds of silence", async () => {
  vi.useFakeTimers();
  try {
    let go = (_: number): void => {};
    const events = (async function* () {
      for (let i = 0; i < 2; i++) yield await new Promise<number>((resolve) => (go = resolve));
    })();
    const reader = eventStream(events, quiet, stop(events)).getReader();
    let text = "";
    const read = async (): Promise<void> => {
      const { done, value } = await reader.read();
      if (done) return;
      text += new TextDecoder().decode(value);
      return read();
    };
    const all = read();
    const after = async (ms: number) => {
      await vi.advanceTimersByTimeAsync(ms);
      return text;
    };
    const comment = ": keep-alive\n\n";
    expect(await after(0)).toBe(comment);
    expect(await after(4999)).toBe(comment);
    expect(await after(1)).toBe(comment.repeat(2));
    expect(await after(10_000)).toBe(comment.repeat(4));
    // An event begins another silence.
    await after(3000);
    go(1);
    const event = `${comment.repeat(4)}data: 1\n\n`;
    expect(await after(4999)).toBe(event);
    expect(await after(1)).toBe(event + comment);
    go(2);
    await after(0);
    await all;
    expect(await after(20_000)).toBe(`${event}${comment}data: 2\n\ndata: [DONE]\n\n`);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
