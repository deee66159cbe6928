import { describe, expect, test, vi } from "vitest";
import type { Progress } from "../weights/progress.ts";
import type { Serve } from "./api.ts";
import { type Client, type WorkerLike, loadInWorker } from "./client.ts";
import { serveHost } from "./host.ts";

const OPTIONS = { base: "http://page.test/" };
const STATS = { steps: 7, requests: 0, gpuBytes: 0, peakGpuBytes: 0 };
const URL_ = "http://page.test/v1/chat/completions";

type Answer = (request: Request) => Response | Promise<Response>;

const echo: Answer = async (request) =>
  Response.json(
    { url: request.url, method: request.method, body: await request.text() },
    { status: 201, headers: { "x-seen": request.headers.get("x-sent") ?? "" } },
  );

/** A host on one end of a channel; the other end stands for its worker. */
function fakeWorker(
  serve: Serve,
): WorkerLike & { terminated: boolean; crash(message: string): void } {
  const { port1, port2 } = new MessageChannel();
  serveHost(serve, port1);
  return Object.assign(port2, {
    terminated: false,
    terminate(this: { terminated: boolean }) {
      this.terminated = true;
      port1.close();
      port2.close();
    },
    crash: (message: string) =>
      port2.dispatchEvent(Object.assign(new Event("error", { cancelable: true }), { message })),
  });
}

async function connect(answer: Answer, dispose = (): void => {}) {
  const serve: Serve = async () => ({
    id: "fake",
    fetch: async (request) => answer(request),
    stats: () => STATS,
    dispose,
  });
  const worker = fakeWorker(serve);
  const client = await loadInWorker(worker, "fake", OPTIONS);
  return { client, worker };
}

const post = (client: Client, init: RequestInit = {}): Promise<Response> =>
  client.fetch(new Request(URL_, { method: "POST", body: "{}", ...init }));

/** Endless text, and what became of it. */
function endless() {
  const cancel = vi.fn();
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: x\n\n")),
    cancel,
  });
  return { body, cancel };
}

describe("load", () => {
  test("passes source, options and progress over the border", async () => {
    const seen: unknown[] = [];
    const progress: Progress = { stage: "weights", loadedBytes: 1, totalBytes: 2, networkBytes: 1 };
    const worker = fakeWorker(async (source, options, onProgress) => {
      seen.push(source, options);
      onProgress(progress);
      return { id: "a/b", fetch: async () => new Response(), stats: () => STATS, dispose() {} };
    });
    const client = await loadInWorker(worker, "a/b", OPTIONS, (told) => seen.push(told));
    expect(client.id).toBe("a/b");
    expect(await client.stats()).toEqual(STATS);
    await vi.waitFor(() => expect(seen).toEqual(["a/b", OPTIONS, progress]));
    client.dispose();
  });

  test("fails with the loader's message, and ends the worker", async () => {
    const worker = fakeWorker(async () => {
      throw new RangeError("config.json: no such field");
    });
    await expect(loadInWorker(worker, "x", OPTIONS)).rejects.toMatchObject({
      name: "RangeError",
      message: "config.json: no such field",
    });
    expect(worker.terminated).toBe(true);
  });

  test.each([
    { when: "before", wait: 0 },
    { when: "while loading", wait: 20 },
  ])("stops when aborted $when, and ends the worker", async ({ wait }) => {
    const worker = fakeWorker(() => new Promise(() => {}));
    const controller = new AbortController();
    if (wait === 0) controller.abort();
    else setTimeout(() => controller.abort(), wait);
    const loading = loadInWorker(worker, "x", OPTIONS, undefined, controller.signal);
    await expect(loading).rejects.toMatchObject({ name: "AbortError" });
    expect(worker.terminated).toBe(true);
  });

  test("fails when the worker's script does", async () => {
    const worker = fakeWorker(() => new Promise(() => {}));
    const loading = loadInWorker(worker, "x", OPTIONS);
    worker.crash("");
    await expect(loading).rejects.toThrow("its script did not start");
    expect(worker.terminated).toBe(true);
  });
});

describe("fetch", () => {
  test("carries method, URL, headers and body, and status, headers and body back", async () => {
    const { client } = await connect(echo);
    const response = await post(client, { body: '{"größe":1}', headers: { "x-sent": "yes" } });
    expect(response.status).toBe(201);
    expect(response.headers.get("x-seen")).toBe("yes");
    expect(await response.json()).toEqual({ url: URL_, method: "POST", body: '{"größe":1}' });

    const get = await client.fetch(new Request(URL_), "http://page.test/v1/models");
    expect(await get.json()).toEqual({
      url: "http://page.test/v1/models",
      method: "GET",
      body: "",
    });
    client.dispose();
  });

  test("carries an answer without a body", async () => {
    const { client } = await connect(() => new Response(null, { status: 204 }));
    const response = await post(client);
    expect([response.status, response.body]).toEqual([204, null]);
    client.dispose();
  });

  test("streams while the answer is being written", async () => {
    let write!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (write = controller),
    });
    const { client } = await connect(() => new Response(body));
    const reader = (await post(client)).body!.pipeThrough(new TextDecoderStream()).getReader();
    write.enqueue(new TextEncoder().encode("one"));
    expect(await reader.read()).toEqual({ done: false, value: "one" });
    write.enqueue(new TextEncoder().encode("two"));
    write.close();
    expect(await reader.read()).toEqual({ done: false, value: "two" });
    expect((await reader.read()).done).toBe(true);
    client.dispose();
  });

  test("aborted before headers: rejects, and aborts the worker's request", async () => {
    let inner: AbortSignal | undefined;
    const { client } = await connect((request) => {
      inner = request.signal;
      return new Promise(() => {});
    });
    const controller = new AbortController();
    const answer = post(client, { signal: controller.signal });
    await vi.waitFor(() => expect(inner).toBeDefined());
    controller.abort();
    await expect(answer).rejects.toSatisfy(
      (error) => error instanceof DOMException && error.name === "AbortError",
    );
    await vi.waitFor(() => expect(inner?.aborted).toBe(true));
    client.dispose();
  });

  test("aborted beforehand: rejects, and the worker never hears of it", async () => {
    const answer = vi.fn(echo);
    const { client } = await connect(answer);
    await expect(post(client, { signal: AbortSignal.abort() })).rejects.toThrow("abort");
    await post(client);
    expect(answer).toHaveBeenCalledTimes(1);
    client.dispose();
  });

  test.each(["signal", "cancel"])("stopped in the middle by %s", async (how) => {
    const { body, cancel } = endless();
    let inner: AbortSignal | undefined;
    const { client } = await connect((request) => {
      inner = request.signal;
      return new Response(body);
    });
    const controller = new AbortController();
    const reader = (await post(client, { signal: controller.signal })).body!.getReader();
    await reader.read();
    if (how === "cancel") await reader.cancel();
    else {
      controller.abort();
      await expect(reader.read()).rejects.toMatchObject({ name: "AbortError" });
    }
    await vi.waitFor(() => expect([cancel.mock.calls.length, inner?.aborted]).toEqual([1, true]));
    client.dispose();
  });

  test("stopped while nobody reads", async () => {
    const { body, cancel } = endless();
    let inner: AbortSignal | undefined;
    const { client } = await connect((request) => {
      inner = request.signal;
      return new Response(body);
    });
    const controller = new AbortController();
    const response = await post(client, { signal: controller.signal });
    controller.abort();
    await vi.waitFor(() => expect([cancel.mock.calls.length, inner?.aborted]).toEqual([1, true]));
    await expect(response.text()).rejects.toMatchObject({ name: "AbortError" });
    client.dispose();
  });

  test("a worker that crashes: 500 device_lost, then and later", async () => {
    const { client, worker } = await connect(() => new Promise(() => {}));
    const answer = post(client);
    await new Promise((resolve) => setTimeout(resolve, 10));
    worker.crash("Uncaught RangeError: x");
    for (const response of [await answer, await post(client)]) {
      expect(response.status).toBe(500);
      expect(response.headers.get("x-should-retry")).toBe("false");
      const { error } = await response.json();
      expect(error).toMatchObject({ type: "server_error", code: "device_lost", param: null });
      expect(error.message).toContain("Uncaught RangeError: x");
    }
  });

  test("a worker that crashes in the middle of a stream fails the stream", async () => {
    const { client, worker } = await connect(() => new Response(endless().body));
    const reader = (await post(client)).body!.getReader();
    await reader.read();
    worker.crash("gone");
    await expect(reader.read()).rejects.toThrow("gone");
  });
});

test("dispose frees the model, ends the worker and fails what comes later", async () => {
  const dispose = vi.fn();
  const { client, worker } = await connect(echo, dispose);
  client.dispose();
  await vi.waitFor(() => expect(worker.terminated).toBe(true));
  expect(dispose).toHaveBeenCalledTimes(1);
  expect((await post(client)).status).toBe(500);
  await expect(client.stats()).rejects.toThrow("disposed");
});
