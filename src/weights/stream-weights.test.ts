import { describe, expect, test, vi } from "vitest";
import { memoryStore } from "../../tests/checkpoint.ts";
import {
  CHUNK,
  NAME,
  WEIGHTS,
  drain,
  dying,
  hub,
  isWhole,
  offline,
  open,
  openFolder,
  rangesAsked,
  read,
  startHubs,
} from "../../tests/hub-checkpoint.ts";
import type { OpenOptions } from "./checkpoint.ts";
import type { Progress } from "./progress.ts";
import { listStored } from "./stored-checkpoints.ts";

startHubs();

describe("faults", () => {
  test.each(["hub", "folder"])("continues where the connection to a %s died", async (kind) => {
    const checkpoint = await (kind === "hub" ? open() : openFolder());
    hub.requests.length = 0;
    Object.assign(hub.faults, { dieAfterBytes: 70_000, deaths: 3 });
    const { files, networkBytes } = await read(checkpoint);
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(networkBytes).toBe(WEIGHTS.length);
    const ranges = rangesAsked();
    expect(ranges).toHaveLength(6 + 3);
    for (const [begin, end] of ranges) {
      expect(end).toBe(Math.min(Math.ceil((begin + 1) / CHUNK) * CHUNK, WEIGHTS.length));
      expect(begin % CHUNK).toBeLessThanOrEqual(70_000);
    }
    expect(ranges.filter(([begin]) => begin % CHUNK > 0)).toHaveLength(3);
  });

  test("reads four ranges at a time, and passes them on in order", async () => {
    const checkpoint = await open();
    hub.requests.length = 0;
    hub.faults.draw = () => ({ stallAfterBytes: 10 });
    const stop = new AbortController();
    const first = checkpoint.stream({ signal: stop.signal }).next();
    await vi.waitFor(() => expect(rangesAsked()).toHaveLength(4));
    expect(await Promise.race([first, new Promise((r) => setTimeout(r, 20, "none"))])).toBe("none");
    expect(rangesAsked()).toHaveLength(4);
    stop.abort();
    await expect(first).rejects.toBe(stop.signal.reason);
  });

  test("gives up after too many failures, keeps what arrived, and continues from there", async () => {
    const store = memoryStore();
    const broken = await open({ store, fetch: dying(350_000), connections: 1 });
    const failed = read(broken);
    await expect(failed).rejects.toThrow(/Failed to fetch; .* is kept: load again to continue/);
    hub.requests.length = 0;
    const { files, networkBytes } = await read(await open({ store }));
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(networkBytes).toBe(WEIGHTS.length - 3 * CHUNK);
    expect(Math.min(...rangesAsked().map(([begin]) => begin))).toBe(3 * CHUNK);
  });

  test("waits as long as a busy server says, and reports it", async () => {
    const date = new Date(Date.now() + 90_500).toUTCString();
    const waits = [
      [{ status: 429, headers: { "Retry-After": "300" } }, 300],
      [{ status: 503, headers: { "Retry-After": date } }, 90],
      [{ status: 429, headers: { RateLimit: '"api";r=0;t=123' } }, 123],
      [{ status: 503 }, 4],
      [{ status: 502 }, 8],
    ] as const;
    for (const small of [true, false]) {
      const slept: number[] = [];
      const stages: Progress[] = [];
      const options: OpenOptions = {
        connections: 1,
        sleep: async (ms) => void slept.push(Math.round(ms / 1000)),
        onProgress: (progress) => void stages.push(progress),
      };
      const checkpoint = small ? undefined : await openFolder(options);
      hub.faults.refusals = waits.map(([refusal]) => ({ ...refusal, small }));
      const { files } = await read(checkpoint ?? (await open(options)));
      expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
      if (small) expect(stages.map(({ stage }) => stage)).toContain("waiting");
      expect(slept.map((seconds, i) => Math.abs(seconds - waits[i]![1]) <= 1)).toEqual(
        waits.map(() => true),
      );
    }
  });

  test("gives up on a server that asks to wait for more than ten minutes", async () => {
    hub.faults.refusals = [{ status: 429, headers: { "Retry-After": "900" }, small: true }];
    await expect(open()).rejects.toThrow("the server answers again in about 15 min");
  });

  test("waits until the browser is online, and goes on at once then", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const events = new EventTarget();
    vi.stubGlobal("addEventListener", events.addEventListener.bind(events));
    vi.stubGlobal("navigator", { onLine: false });
    let online = false;
    const waits: (number | undefined)[] = [];
    const opening = open({
      fetch: (input, init) => (online ? fetch(input, init) : offline(input, init)),
      onProgress: ({ stage, waitSeconds }) => void (stage === "waiting" && waits.push(waitSeconds)),
      sleep: undefined,
    });
    await vi.waitFor(() => expect(waits).toEqual([0.5]));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(waits).toEqual([0.5]);
    online = true;
    events.dispatchEvent(new Event("online"));
    vi.useRealTimers();
    vi.unstubAllGlobals();
    expect((await opening).id).toBe(NAME);
  });

  test("a connection that delivers nothing counts as dead", async () => {
    const checkpoint = await open({ stallMs: 300, retries: 20 });
    hub.faults.stallAfterBytes = 70_000;
    const { files } = await read(checkpoint);
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(hub.faults.stallAfterBytes).toBeUndefined();
  });

  test("skips the bytes that a server without ranges sends again", async () => {
    hub.faults.ignoreRange = true;
    const store = memoryStore();
    Object.assign(hub.faults, { dieAfterBytes: 350_000, deaths: 1 });
    const { files, networkBytes } = await read(await openFolder({ store }));
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(networkBytes).toBe(WEIGHTS.length);
    await store.delete((await store.keys()).filter((key) => / (200000|500000)-/.test(key)));
    const again = await read(await openFolder({ store }));
    expect(isWhole(again.files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(again.networkBytes).toBe(CHUNK + WEIGHTS.length - 500_000);
  });

  test.each([{ noListing: false }, { noListing: true }])(
    "deletes a file that does not have the hub's hash (%o)",
    async ({ noListing }) => {
      const store = memoryStore();
      // Without a list of files, the hash comes with the response, unless a redirection hides it.
      const linked: typeof fetch = async (input, init) => {
        const response = await fetch(input, init);
        if (!response.url.includes("/cdn/")) return response;
        const first = await fetch(input, { ...init, redirect: "manual" });
        const headers = new Headers(response.headers);
        headers.set("x-linked-etag", first.headers.get("x-linked-etag") as string);
        await first.body?.cancel();
        return new Response(response.body, { status: response.status, headers });
      };
      Object.assign(hub.faults, { noListing, corruptByte: 333_333 });
      const options = noListing ? { store, fetch: linked } : { store };
      await expect(read(await open(options))).rejects.toThrow(/arrived damaged twice: its SHA/);
      expect([...store.entries.keys()].filter((key) => key.startsWith("chunk"))).toEqual([]);
      hub.faults.corruptByte = undefined;
      const { files } = await read(await open(options));
      expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    },
  );

  test.each([
    ["a chunk of this load", undefined],
    ["a chunk of an earlier, unfinished load", dying(350_000)],
  ])("replaces %s that arrived damaged, and passes the file on again", async (_, broken) => {
    const store = memoryStore();
    hub.faults.corruptByte = 50_000;
    const first = await open({ store, connections: 1, ...(broken && { fetch: broken }) });
    const pieces = first.stream();
    await pieces.next();
    hub.faults.corruptByte = undefined;
    let load = first;
    if (broken) {
      await expect(drain(pieces)).rejects.toThrow("is kept");
      load = await open({ store, connections: 1 });
    }
    hub.requests.length = 0;
    const rest = broken ? load.stream() : pieces;
    const begins: number[] = [];
    let file: Uint8Array = new Uint8Array();
    for await (const { begin, bytes } of rest) {
      if (begin === 0) file = new Uint8Array();
      begins.push(begin);
      file = Buffer.concat([file, bytes]);
    }
    expect(isWhole(file, WEIGHTS)).toBe(true);
    const starts = [0, 1, 2, 3, 4, 5].map((i) => i * CHUNK);
    expect(begins).toEqual(broken ? [...starts, ...starts] : [...starts.slice(1), ...starts]);
    // The damaged chunk is the first, and the next one is on its way when the hash is found right.
    const missing = broken ? 3 : 5;
    expect(rangesAsked().length - missing).toBeLessThanOrEqual(2);
    expect((await read(await open({ store, fetch: offline }))).networkBytes).toBe(0);
  });

  test("a flipped byte in the store is found, and only that chunk is fetched again", async () => {
    const store = memoryStore();
    await read(await open({ store }));
    const key = [...store.entries.keys()].find((key) => key.includes(" 200000-")) as string;
    store.entries.get(key)?.fill(7, 77, 78);
    hub.requests.length = 0;
    const { files, networkBytes } = await read(await open({ store }));
    expect(networkBytes).toBe(CHUNK);
    expect(rangesAsked()).toEqual([[200_000, 300_000]]);
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    expect((await read(await open({ store, fetch: offline }))).networkBytes).toBe(0);
  });

  test("fetches only what is wanted, if that saves much", async () => {
    const store = memoryStore();
    const checkpoint = await open({ store });
    const b = checkpoint.tensors.get("b")!;
    const pieces: number[] = [];
    for await (const { begin } of checkpoint.stream({ wanted: [b] })) pieces.push(begin);
    expect(pieces).toEqual([300_000, 400_000, 500_000]);
    const [listed] = await listStored(store);
    expect(listed?.storedBytes).toBe(listed?.totalBytes);
    const again = await open({ store, fetch: offline });
    for await (const { network } of again.stream({ wanted: [b] })) expect(network).toBe(false);
    // Another model of the same files needs the rest.
    expect((await read(await open({ store }))).networkBytes).toBe(300_000);
  });

  test("goes on with one connection when the server has stopped sending ranges", async () => {
    const checkpoint = await openFolder();
    hub.faults.ignoreRange = true;
    expect(isWhole((await read(checkpoint)).files["model.safetensors"], WEIGHTS)).toBe(true);
  });
});

describe("abort", () => {
  test("rejects with the signal's reason and keeps whole chunks", async () => {
    const store = memoryStore();
    const checkpoint = await open({ store });
    const controller = new AbortController();
    const reason = new Error("enough");
    const pieces: number[] = [];
    const reading = (async () => {
      for await (const { begin } of checkpoint.stream({ signal: controller.signal })) {
        pieces.push(begin);
        if (pieces.length === 2) controller.abort(reason);
      }
    })();
    await expect(reading).rejects.toBe(reason);
    expect(pieces).toEqual([0, CHUNK]);
    hub.requests.length = 0;
    const { networkBytes } = await read(await open({ store }));
    expect(networkBytes).toBeLessThanOrEqual(WEIGHTS.length - 2 * CHUNK);
    expect(Math.min(...rangesAsked().map(([begin]) => begin))).toBeGreaterThanOrEqual(2 * CHUNK);
  });

  test("does not wait for a server that sends nothing", async () => {
    const checkpoint = await open();
    hub.faults.stallAfterBytes = 10;
    const controller = new AbortController();
    const reading = read(checkpoint, controller.signal);
    await vi.waitFor(() => expect(hub.faults.stallAfterBytes).toBeUndefined());
    controller.abort();
    await expect(reading).rejects.toBe(controller.signal.reason);
  });

  test("does not wait for the next retry", async () => {
    const controller = new AbortController();
    const fetchAndAbort: typeof fetch = async (input, init) => {
      setTimeout(() => controller.abort("enough"), 1);
      return offline(input, init);
    };
    const options = {
      fetch: fetchAndAbort,
      signal: controller.signal,
      sleep: undefined,
      retryDelayMs: 1e6,
    };
    await expect(open(options)).rejects.toBe("enough");
  });

  test("an aborted signal opens no checkpoint", async () => {
    await expect(open({ signal: AbortSignal.abort("no") })).rejects.toBe("no");
    expect(hub.requests).toEqual([]);
  });
});
