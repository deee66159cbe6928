import { describe, expect, test, vi } from "vitest";
import { receiveStream, sendStream } from "./stream.ts";

/** Sends a stream through a real message channel. */
async function cross(
  stream: ReadableStream<Uint8Array>,
  transfer: boolean,
): Promise<ReadableStream<Uint8Array>> {
  const { port1, port2 } = new MessageChannel();
  const sent = sendStream(stream, transfer);
  const arrived = new Promise<ReadableStream<Uint8Array> | MessagePort>((resolve) => {
    port2.onmessage = ({ data }) => resolve(data);
  });
  port1.postMessage(sent, [sent as MessagePort]);
  try {
    return receiveStream(await arrived);
  } finally {
    port1.close();
  }
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe.each([
  { by: "transfer", transfer: true },
  { by: "a port", transfer: false },
])("a stream sent by $by", ({ transfer }) => {
  test("arrives whole and in order", async () => {
    const chunks = [bytes(1, 2), bytes(3), bytes(), bytes(4, 5, 6)];
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        const chunk = chunks.shift();
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
    });
    const body = await new Response(await cross(stream, transfer)).arrayBuffer();
    expect([...new Uint8Array(body)]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("is produced only as it is read", async () => {
    let made = 0;
    const stream = new ReadableStream<Uint8Array>(
      { pull: (controller) => controller.enqueue(bytes(made++)) },
      { highWaterMark: 0 },
    );
    const reader = (await cross(stream, transfer)).getReader();
    for (let i = 0; i < 5; i++) expect((await reader.read()).value).toEqual(bytes(i));
    // A transferred stream buffers one chunk on each side.
    expect(made).toBeLessThanOrEqual(8);
    await reader.cancel();
  });

  test("stops when the reader cancels", async () => {
    const cancel = vi.fn();
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytes(1)),
      cancel,
    });
    const reader = (await cross(stream, transfer)).getReader();
    await reader.read();
    await reader.cancel("enough");
    await vi.waitFor(() => expect(cancel).toHaveBeenCalledWith("enough"));
  });

  test("fails as its source does", async () => {
    let pulls = 0;
    const stream = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (pulls++ === 0) controller.enqueue(bytes(1));
          else controller.error(new RangeError("out of bytes"));
        },
      },
      { highWaterMark: 0 },
    );
    const reader = (await cross(stream, transfer)).getReader();
    await reader.read();
    await expect(reader.read()).rejects.toMatchObject({ message: "out of bytes" });
  });
});
