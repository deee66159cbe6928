import { describe, expect, test, vi } from "vitest";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import { GrammarError } from "../grammar/grammar-error.ts";
import { NoGpuError } from "../platform/device-error.ts";
import type { LoadedModel } from "../runtime/loaded-model.ts";
import type { ModelPlan } from "../runtime/plan-checkpoint.ts";
import type { Progress } from "../weights/progress.ts";
import { type ModelLoader, exposeModel } from "./expose-model.ts";
import { type WorkerLike, loadInWorker, withWorker } from "./load-in-worker.ts";

const OPTIONS = { base: "http://page.test/" };
const STATS = { steps: 7, requests: 0, gpuBytes: 0, peakGpuBytes: 0 };
const URL_ = "http://page.test/v1/chat/completions";

type Answer = (request: Request) => Response | Promise<Response>;

const echo: Answer = async (request) =>
  Response.json(
    { url: request.url, method: request.method, body: await request.text() },
    { status: 201, headers: { "x-seen": request.headers.get("x-sent") ?? "" } },
  );

type Load = ModelLoader["load"];

/** Exposes a model at one end of a channel. The other end is its worker. */
function fakeWorker(
  load: Load,
  plan: ModelLoader["plan"] = () => Promise.reject(new Error("no plan")),
): WorkerLike & { terminated: boolean; crash(message: string): void } {
  const { port1, port2 } = new MessageChannel();
  exposeModel({ load, plan }, port1);
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
  const load: Load = async () => ({
    id: "fake",
    fetch: async (request) => answer(request),
    stats: async () => STATS,
    unload: async () => true,
    dispose,
  });
  const worker = fakeWorker(load);
  const client = await loadInWorker(worker, "fake", OPTIONS);
  return { client, worker };
}

const post = (client: LoadedModel, init: RequestInit = {}): Promise<Response> =>
  client.fetch(new Request(URL_, { method: "POST", body: "{}", ...init }));

/** An endless body, and a spy for its cancellation. */
function endless() {
  const cancel = vi.fn();
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: x\n\n")),
    cancel,
  });
  return { body, cancel };
}

describe("load", () => {
  test("lets the worker compile grammars in the page, errors included", async () => {
    const seen: unknown[] = [];
    const worker = fakeWorker(async (_source, _options, _loadShaders, compile) => {
      seen.push(await compile({ type: "regex", pattern: "a{2,}" }));
      seen.push(await Promise.resolve(compile({ type: "regex", pattern: "(" })).catch((e) => e));
      return {
        id: "a/b",
        fetch: async () => new Response(),
        stats: async () => STATS,
        unload: async () => true,
        dispose() {},
      };
    });
    const client = await loadInWorker(worker, "a/b", OPTIONS);
    expect(seen[0]).toEqual(compileGrammar({ type: "regex", pattern: "a{2,}" }));
    expect(seen[1]).toBeInstanceOf(GrammarError);
    expect((seen[1] as Error).message).toContain("the expression ( is invalid");
    client.dispose();
  });

  test("passes source, options and progress over the border", async () => {
    const seen: unknown[] = [];
    const progress: Progress = { stage: "weights", loadedBytes: 1, totalBytes: 2, networkBytes: 1 };
    const worker = fakeWorker(
      async (source, options, _loadShaders, _compileGrammar, onProgress) => {
        seen.push(source, options);
        onProgress(progress);
        return {
          id: "a/b",
          fetch: async () => new Response(),
          stats: async () => STATS,
          unload: async () => true,
          dispose() {},
        };
      },
    );
    const client = await loadInWorker(worker, "a/b", OPTIONS, (reported) => seen.push(reported));
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

  test("a device that can't run the model rejects with a DeviceError", async () => {
    const worker = fakeWorker(async () => {
      throw new NoGpuError("no WebGPU here");
    });
    const error = await loadInWorker(worker, "x", OPTIONS).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(NoGpuError);
    expect(error).toMatchObject({ name: "NoGpuError", message: "no WebGPU here" });
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
  test("transfers method, URL, headers and body, and the response", async () => {
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

  test("transfers a response without a body", async () => {
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

  test("aborted beforehand: rejects, and nothing reaches the worker", async () => {
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

  test("a worker that crashes: 500 device_lost for running and later requests", async () => {
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

test("dispose frees the model, ends the worker, and later requests fail", async () => {
  const dispose = vi.fn();
  const { client, worker } = await connect(echo, dispose);
  client.dispose();
  await vi.waitFor(() => expect(worker.terminated).toBe(true));
  expect(dispose).toHaveBeenCalledTimes(1);
  expect((await post(client)).status).toBe(500);
  await expect(client.stats()).rejects.toThrow("disposed");
});

describe("withWorker", () => {
  test("passes source and options, returns the plan, and ends the worker", async () => {
    const plan = { id: "a/b" } as ModelPlan;
    const planned = vi.fn(async () => plan);
    const worker = fakeWorker(() => Promise.reject(new Error("not loaded")), planned);
    expect(await withWorker(worker, (service) => service.plan("a/b", OPTIONS))).toEqual(plan);
    expect(planned).toHaveBeenCalledWith("a/b", OPTIONS);
    expect(worker.terminated).toBe(true);
  });

  test("fails as the service does, and ends the worker", async () => {
    const worker = fakeWorker(() => Promise.reject(new Error("not loaded")));
    const planning = withWorker(worker, (service) => service.plan("a/b", OPTIONS));
    await expect(planning).rejects.toThrow("no plan");
    expect(worker.terminated).toBe(true);
  });

  test("stops when aborted, and ends the worker", async () => {
    const worker = fakeWorker(() => Promise.reject(new Error("not loaded")));
    const aborted = AbortSignal.abort();
    const planning = withWorker(worker, (service) => service.plan("a/b", OPTIONS), aborted);
    await expect(planning).rejects.toMatchObject({ name: "AbortError" });
    expect(worker.terminated).toBe(true);
  });
});
