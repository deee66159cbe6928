import { expect, test } from "vitest";
import { interleaved } from "./interleaved.ts";

async function* count(name: string, to: number, log: string[] = []) {
  try {
    for (let i = 1; i <= to; i++) yield `${name}${i}`;
  } finally {
    log.push(`${name} ended`);
  }
}

async function* failing(): AsyncGenerator<string, void, void> {
  yield "f1";
  throw new Error("failed");
}

/** Yields nothing before the signal aborts. */
async function* waiting(signal: AbortSignal): AsyncGenerator<string, void, void> {
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  yield "late";
}

async function collect(values: AsyncIterable<string>, most = Infinity): Promise<string[]> {
  const all: string[] = [];
  for await (const value of values) if (all.push(value) >= most) break;
  return all;
}

test("generators take turns, and each ends by itself", async () => {
  const values = interleaved([count("a", 3), count("b", 1), count("c", 2)], () => {});
  expect(await collect(values)).toEqual(["a1", "b1", "c1", "a2", "c2", "a3"]);
});

test("one that waits does not stop the others", async () => {
  const controller = new AbortController();
  const values = interleaved([waiting(controller.signal), count("a", 2)], () => {});
  expect((await values.next()).value).toBe("a1");
  expect((await values.next()).value).toBe("a2");
  controller.abort();
  expect((await values.next()).value).toBe("late");
  expect((await values.next()).done).toBe(true);
});

test("all end when the reader leaves or one throws, also one that waits", async () => {
  const log: string[] = [];
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  const left = interleaved([count("a", 3, log), waiting(controller.signal)], stop);
  expect(await collect(left, 1)).toEqual(["a1"]);
  expect([log, controller.signal.aborted]).toEqual([["a ended"], true]);

  const second = new AbortController();
  const sources = [count("a", 9, log), failing(), waiting(second.signal)];
  const thrown = collect(interleaved(sources, () => second.abort()));
  await expect(thrown).rejects.toThrow("failed");
  expect(log).toEqual(["a ended", "a ended"]);
});
