/**
 * A byte stream over a thread border: transferred where the browser can, or else sent chunk by
 * chunk through a port, each only when the reader asks for it.
 */
type Bytes = ReadableStream<Uint8Array>;

/** From the reader: ask for a chunk, or stop. */
type Ask = { type: "pull" } | { type: "cancel"; reason: unknown };

/** From the sender: the answer to a pull. */
type Answer =
  { type: "chunk"; chunk: Uint8Array } | { type: "close" } | { type: "error"; error: unknown };

let transferable: boolean | undefined;

/** Whether this browser can transfer a `ReadableStream`; found out by trying, once. */
function canTransferStreams(): boolean {
  if (transferable === undefined) {
    try {
      const stream = new ReadableStream();
      structuredClone(stream, { transfer: [stream] });
      transferable = true;
    } catch {
      transferable = false;
    }
  }
  return transferable;
}

/** @returns what to post, with itself in the transfer list, for `receiveStream` to take up */
export function sendStream(stream: Bytes, transfer = canTransferStreams()): Bytes | MessagePort {
  if (transfer) return stream;
  const { port1, port2 } = new MessageChannel();
  const reader = stream.getReader();
  const answer = (message: Answer): void => port1.postMessage(message);
  port1.onmessage = ({ data }: MessageEvent<Ask>) => {
    if (data.type === "cancel") {
      port1.close();
      reader.cancel(data.reason).catch(() => {});
      return;
    }
    reader.read().then(
      ({ done, value }) => answer(done ? { type: "close" } : { type: "chunk", chunk: value }),
      (error: unknown) => answer({ type: "error", error }),
    );
  };
  return port2;
}

/** @param sent what came of `sendStream` on the other thread */
export function receiveStream(sent: Bytes | MessagePort): Bytes {
  if (sent instanceof ReadableStream) return sent;
  const port = sent;
  const ask = (message: Ask): void => port.postMessage(message);
  let answered: (() => void) | undefined;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        port.onmessage = ({ data }: MessageEvent<Answer>) => {
          if (data.type === "chunk") controller.enqueue(data.chunk);
          else {
            port.close();
            if (data.type === "close") controller.close();
            else controller.error(data.error);
          }
          answered?.();
        };
      },
      pull() {
        ask({ type: "pull" });
        return new Promise<void>((resolve) => (answered = resolve));
      },
      cancel(reason) {
        ask({ type: "cancel", reason });
        port.onmessage = null;
        port.close();
      },
    },
    { highWaterMark: 0 },
  );
}
