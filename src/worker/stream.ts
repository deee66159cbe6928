/**
 * A byte stream between threads. It is transferred if the browser can do that. Otherwise its chunks
 * are sent through a port, each when the reader asks for it.
 */
type Bytes = ReadableStream<Uint8Array>;

/** From the reader to the sender. */
type Request = { type: "pull" } | { type: "cancel"; reason: unknown };

/** From the sender to the reader, in reply to a pull. */
type Reply =
  { type: "chunk"; chunk: Uint8Array } | { type: "close" } | { type: "error"; error: unknown };

let transferable: boolean | undefined;

/** @returns whether this browser can transfer a `ReadableStream`, which is tried once */
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

/** @returns an object to post and to put into the transfer list; `receiveStream` reads it */
export function sendStream(stream: Bytes, transfer = canTransferStreams()): Bytes | MessagePort {
  if (transfer) return stream;
  const { port1, port2 } = new MessageChannel();
  const reader = stream.getReader();
  const reply = (message: Reply): void => port1.postMessage(message);
  port1.onmessage = ({ data }: MessageEvent<Request>) => {
    if (data.type === "cancel") {
      port1.close();
      reader.cancel(data.reason).catch(() => {});
      return;
    }
    reader.read().then(
      ({ done, value }) => reply(done ? { type: "close" } : { type: "chunk", chunk: value }),
      (error: unknown) => reply({ type: "error", error }),
    );
  };
  return port2;
}

/** @param sent the result of `sendStream` on the other thread */
export function receiveStream(sent: Bytes | MessagePort): Bytes {
  if (sent instanceof ReadableStream) return sent;
  const port = sent;
  const request = (message: Request): void => port.postMessage(message);
  let onReply: (() => void) | undefined;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        port.onmessage = ({ data }: MessageEvent<Reply>) => {
          if (data.type === "chunk") controller.enqueue(data.chunk);
          else {
            port.close();
            if (data.type === "close") controller.close();
            else controller.error(data.error);
          }
          onReply?.();
        };
      },
      pull() {
        request({ type: "pull" });
        return new Promise<void>((resolve) => (onReply = resolve));
      },
      cancel(reason) {
        request({ type: "cancel", reason });
        port.onmessage = null;
        port.close();
      },
    },
    { highWaterMark: 0 },
  );
}
