import type { CDPSession, Page } from "playwright";

/** Bytes of a thread's objects and buffers, as the DevTools protocol says it. */
interface HeapUsage {
  readonly usedSize: number;
  readonly backingStorageSize?: number;
}

const MEASURE = { id: 1, method: "Runtime.getHeapUsage" };
const INTERVAL_MS = 20;

/**
 * Measures a page and its workers until `end`.
 *
 * @returns the most bytes that their objects and buffers take together
 */
export async function peakHeap(page: Page, end: Promise<unknown>): Promise<number> {
  const devtools = await page.context().newCDPSession(page);
  const workers = await watchWorkers(devtools);
  let peak = 0;
  let ended = false;
  const stop = () => void (ended = true);
  end.then(stop, stop);
  while (!ended) {
    const usage = (await devtools.send("Runtime.getHeapUsage")) as HeapUsage;
    const all = [usage, ...(await workers())];
    const bytes = all.map(({ usedSize, backingStorageSize = 0 }) => usedSize + backingStorageSize);
    peak = Math.max(
      peak,
      bytes.reduce((sum, one) => sum + one, 0),
    );
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
  await devtools.detach();
  return peak;
}

/**
 * @returns what gives the last known usage of each worker of a page. A worker that is busy answers late,
 *   so nothing waits for it.
 */
async function watchWorkers(devtools: CDPSession): Promise<() => Promise<HeapUsage[]>> {
  const last = new Map<string, HeapUsage>();
  devtools.on("Target.attachedToTarget", ({ sessionId, targetInfo }) => {
    if (targetInfo.type === "worker") last.set(sessionId, { usedSize: 0 });
  });
  devtools.on("Target.detachedFromTarget", ({ sessionId }) => void last.delete(sessionId));
  devtools.on("Target.receivedMessageFromTarget", ({ sessionId, message }) => {
    const { result } = JSON.parse(message) as { readonly result?: HeapUsage };
    if (result && last.has(sessionId)) last.set(sessionId, result);
  });
  await devtools.send("Target.setAutoAttach", {
    ...{ autoAttach: true, waitForDebuggerOnStart: false, flatten: false },
  });
  return async () => {
    const message = JSON.stringify(MEASURE);
    const asked = [...last.keys()].map((sessionId) =>
      devtools.send("Target.sendMessageToTarget", { sessionId, message }).catch(() => {}),
    );
    await Promise.all(asked);
    return [...last.values()];
  };
}
