import { expect, test, vi } from "vitest";
import { readEvents } from "./event-stream.ts";

/** @returns a body that arrives in pieces of `size` bytes */
function body(text: string, size: number, cancel = (): void => {}): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at < bytes.length) controller.enqueue(bytes.slice(at, (at += size)));
      else controller.close();
    },
    cancel,
  });
}

test.each([1, 2, 3, 7, 1000])("reads events in pieces of %i bytes", async (size) => {
  const text =
    'data: {"a":"ü🎈"}\n\n: comment\n\ndata:b\r\n\r\nevent: x\ndata: c\ndata: d\n\ndata: [DONE]\n\n';
  const events: string[] = [];
  for await (const data of readEvents(body(text, size))) events.push(data);
  expect(events).toEqual(['{"a":"ü🎈"}', "b", "c\nd", "[DONE]"]);
});

test("leaving the loop cancels the body", async () => {
  const cancel = vi.fn();
  for await (const data of readEvents(body("data: 1\n\ndata: 2\n\n", 9, cancel))) {
    expect(data).toBe("1");
    break;
  }
  expect(cancel).toHaveBeenCalledTimes(1);
});

test("a failing body fails the loop", async () => {
  const failing = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("broke off")),
  });
  await expect(readEvents(failing).next()).rejects.toThrow("broke off");
});
