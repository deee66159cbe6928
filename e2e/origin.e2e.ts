import { readFile } from "node:fs/promises";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createSecureServer } from "node:http2";
import { join } from "node:path";
import type { Browser, BrowserContext, Frame, Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type * as webvlm from "../src/index.ts";
import { launch, sharedBrowser } from "./browser.ts";
import { selfSigned } from "./certificate.ts";
import { COUNT_DEVICES, countDevices } from "./count-devices.ts";
import { listen, origin } from "./plain-site.ts";
import { ROOT } from "./root.ts";
import { shared } from "./shared.ts";

/** A tab whose `offer` offers the sample model to the origin. The tab counts its loads. */
const TAB = `<!doctype html>
<title>A tab</title>
<script type="module">
  import { load, serveOrigin } from "/webvlm.js";
  window.loads = 0;
  window.serveOrigin = serveOrigin;
  window.offer = async (options) => {
    window.server = await serveOrigin(async () => {
      window.loads++;
      window.vlm = await load("/models/sample");
      return window.vlm;
    }, { script: "/webvlm-service-worker.js", waitMs: 120_000, ...options });
  };
</script>`;

const FRAME = `<!doctype html><title>A frame</title>`;

/** A service worker that gives up early. */
const IMPATIENT = `import { answerOrigin } from "/service-worker.js";
self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
answerOrigin(self, { waitMs: 1000 });`;

interface Tab {
  readonly loads: number;
  readonly vlm: webvlm.Vlm;
  readonly server: webvlm.OriginServer;
  readonly serveOrigin: typeof webvlm.serveOrigin;
  offer(options?: webvlm.ServeOriginOptions): Promise<void>;
}

declare global {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- a global can only be merged
  interface Window extends Tab {}
}

let library: string;
let app: Server;
let browser: Browser;
/** The context of this test, or of all tests of one origin. */
let context: BrowserContext;
/** The number of GPU devices that all tabs, frames and workers of the context requested. */
let devices = 0;

beforeAll(async () => {
  library = await shared("library");
  app = await listen(readFiles, ownRoutes);
  browser = await sharedBrowser();
});

/** The app's own files: its pages, the library, the sample model and images. */
async function readFiles(path: string): Promise<string | Buffer> {
  if (path === "/") return TAB;
  if (path === "/frame.html") return FRAME;
  if (path === "/impatient.js") return IMPATIENT;
  if (path === "/count-devices.js") return COUNT_DEVICES;
  if (path === "/webvlm-service-worker.js") {
    return COUNT_DEVICES + (await readFile(join(library, path), "utf8"));
  }
  if (/^\/(models|images)\//.test(path)) return readFile(join(ROOT, "public", path));
  if (path.endsWith(".png")) return readFile(join(ROOT, "e2e/goldens/sample", path));
  return readFile(join(library, path));
}

afterAll(() => void app.close());

async function newContext(): Promise<void> {
  context = await browser.newContext();
  await context.addInitScript(countDevices);
  devices = 0;
}

/** The app's own routes, some of them similar to those that the service worker answers. */
function ownRoutes(request: IncomingMessage, response: ServerResponse): boolean {
  const { pathname, searchParams } = new URL(request.url as string, "http://localhost");
  const { method, url, headers } = request;
  if (pathname === "/devices") {
    devices++;
    response.end();
  } else if (pathname === "/redirect") {
    const status = Number(searchParams.get("status") ?? 302);
    response.writeHead(status, { location: "/echo?from=redirect" }).end();
  } else if (pathname === "/fails") {
    response.socket?.destroy();
  } else if (pathname === "/breaks") {
    response.writeHead(200, { "content-length": 10 });
    response.write("half", () => response.socket?.destroy());
  } else if (pathname === "/range") {
    const [, begin = 0, end = 9] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
    const body = "0123456789".slice(Number(begin), Number(end) + 1);
    const range = `bytes ${begin}-${end}/10`;
    response.writeHead(headers.range ? 206 : 200, { "content-range": range }).end(body);
  } else if (pathname === "/echo" || pathname === "/v2/echo") {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const status = Number(searchParams.get("status") ?? 200);
      response.writeHead(status, { "x-own": "yes", "content-type": "application/json" });
      // One character for each byte, so that a changed byte shows.
      const body = Buffer.concat(pieces).toString("latin1");
      response.end(status === 204 ? "" : JSON.stringify({ method, url, headers, body }));
    });
  } else return false;
  return true;
}

async function openTab(offers = true): Promise<Page> {
  const tab = await context.newPage();
  await tab.goto(`${origin(app)}/`);
  await tab.waitForFunction(() => "offer" in window);
  if (offers) await tab.evaluate(() => window.offer());
  return tab;
}

async function openFrame(tab: Page): Promise<Frame> {
  await tab.evaluate(async () => {
    const frame = document.createElement("iframe");
    frame.src = "/frame.html";
    document.body.append(frame);
    await new Promise((resolve) => (frame.onload = resolve));
  });
  return tab.frames().at(-1) as Frame;
}

/** Asks about an image by fetch. @returns the answer's text, or status and error */
function ask(from: Page | Frame, image: string, text: string, stream = false): Promise<string> {
  return from.evaluate(
    async ({ image, text, stream }) => {
      const content = [
        { type: "image_url", image_url: { url: `/${image}` } },
        { type: "text", text },
      ];
      const body = JSON.stringify({
        messages: [{ role: "user", content }],
        temperature: 0,
        stream,
      });
      const headers = { "content-type": "application/json" };
      const response = await fetch("/v1/chat/completions", { method: "POST", headers, body });
      const result = await response.text();
      if (!response.ok) return `${response.status} ${result}`;
      const events = stream ? result.match(/\{.*\}/g) : [result];
      const parts = (events ?? []).map((event) => {
        const choice = JSON.parse(event).choices[0];
        return (choice.message ?? choice.delta).content ?? "";
      });
      return parts.join("").trim();
    },
    { image, text, stream },
  );
}

/** Begins a stream that ends only when the context is full. Resolves at its first event. */
function beginStream(from: Page): Promise<void> {
  return from.evaluate(async () => {
    const messages = [{ role: "user", content: "Hello" }];
    const body = JSON.stringify({ messages, ignore_eos: true, stream: true, seed: 1 });
    const headers = { "content-type": "application/json" };
    const response = await fetch("/v1/chat/completions", { method: "POST", headers, body });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    Object.assign(window, { reader });
  });
}

const requests = (tab: Page): Promise<number> =>
  tab.evaluate(async () => (await window.vlm.stats()).requests);

async function waitForIdle(tab: Page): Promise<void> {
  await expect.poll(() => requests(tab), { timeout: 60_000 }).toBe(0);
}

/** Stops every service worker, as a browser does with idle ones. */
async function stopServiceWorkers(tab: Page): Promise<void> {
  const session = await context.newCDPSession(tab);
  await session.send("ServiceWorker.enable");
  await session.send("ServiceWorker.stopAllWorkers");
  await session.detach();
}

/**
 * The tests of one origin in their order. They share its tabs, because a software adapter takes
 * seconds to compile a model's kernels. Two tests close the owner, so the model is loaded three times.
 */
describe("one engine for the whole origin", () => {
  let owner: Page;
  let other: Page;
  let before: Awaited<ReturnType<typeof fetchAll>>;
  let after: typeof before;
  beforeAll(async () => {
    await newContext();
    owner = await openTab(false);
    before = await fetchAll(owner);
  });
  afterAll(() => context.close());

  test("while the model loads, requests wait and health answers 503 at once", async () => {
    const result = await owner.evaluate(async () => {
      const offered = window.offer();
      await navigator.serviceWorker.ready;
      while (!navigator.serviceWorker.controller) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const [models, health] = await Promise.all(
        ["/v1/models", "/v1/health"].map((path) => fetch(path)),
      );
      await offered;
      return {
        models: models?.status,
        health: [health?.status, (await fetch("/v1/health")).status],
      };
    });
    expect(result).toEqual({ models: 200, health: [503, 200] });
  });

  describe("an app's own fetches pass through unchanged", () => {
    beforeAll(async () => {
      expect(await owner.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);
      after = await fetchAll(owner);
    });

    test("bodies, headers, redirects and errors", () => {
      expect(after).toEqual(before);
    });

    test("as the app's server and the browser make them", () => {
      const echoed = (name: keyof typeof before) => JSON.parse(before[name].text ?? "");
      expect(echoed("a text")).toMatchObject({ method: "POST", body: "a=b" });
      expect(echoed("a text").headers).toMatchObject({ "x-own": "mine", cookie: "who=me" });
      expect(echoed("no cookies").headers.cookie).toBeUndefined();
      expect(echoed("bytes").body.length).toBe(256);
      expect(echoed("a form").body).toContain('filename="name.bin"');
      expect(echoed("a redirect with its body")).toMatchObject({ method: "POST", body: "a=b" });
      expect(before).toMatchObject({
        "a redirect": { redirected: true, url: `${origin(app)}/echo?from=redirect` },
        "an opaque redirect": { type: "opaqueredirect", status: 0 },
        "a redirect that is refused": { failed: "TypeError" },
        "a part": { status: 206, text: "2345" },
        "a refusal": { status: 418 },
        "a server's error": { status: 500 },
        "a missing file": { status: 404 },
        "no connection": { failed: "TypeError" },
        "a connection that breaks": { status: 200, text: "TypeError" },
        "an aborted one": { failed: "AbortError" },
        "another origin, allowed": { status: 200, type: "cors" },
        "another origin, refused": { failed: "TypeError" },
        "another origin, opaque": { type: "opaque" },
      });
    });
  });

  test("two tabs, a frame and a worker share it, and each gets its own stream", async () => {
    other = await openTab();
    const frame = await openFrame(other);
    const loads = [owner, other].map((tab) => tab.evaluate(() => window.loads));
    expect(await Promise.all(loads)).toEqual([1, 0]);

    const answers = await Promise.all([
      ask(owner, "red-circle.png", "What's in this image?", true),
      ask(other, "night.png", "Describe the picture.", true),
      ask(frame, "three-hearts.png", "How many hearts are there?", true),
      ask(other, "word-hello.png", "Read the text."),
    ]);
    expect(answers).toEqual([
      "A red circle.",
      "A small white star and a yellow moon.",
      "There is one heart.",
      'It says "HELLO".',
    ]);
    expect([owner, other].map((tab) => tab.workers().length)).toEqual([1, 0]);
    expect(devices).toBe(1);
  });

  test("XMLHttpRequest and workers are answered too", async () => {
    const third = await openTab(false);
    await third.waitForFunction(() => navigator.serviceWorker.controller);
    const result = await third.evaluate(async () => {
      const xhr = new XMLHttpRequest();
      xhr.open("GET", "/v1/models");
      await new Promise((resolve) => {
        xhr.onload = resolve;
        xhr.send();
      });
      const script = `fetch("${location.origin}/v1/models").then(async (response) =>
        postMessage(await response.text()))`;
      const type = "text/javascript";
      const worker = new Worker(URL.createObjectURL(new Blob([script], { type })));
      const inWorker = await new Promise<string>((resolve) => {
        worker.onmessage = ({ data }) => resolve(data as string);
      });
      worker.terminate();
      return [xhr.responseText, inWorker].map((text) => JSON.parse(text).data[0].id as string);
    });
    expect(result).toEqual([expect.stringContaining("sample"), result[0]]);
    await third.close();
  });

  test("a caller that cancels or closes stops the model", async () => {
    await beginStream(other);
    // A stream that waits sends a comment, and the engine may get the request after that.
    await expect.poll(() => requests(owner), { timeout: 60_000 }).toBe(1);
    await other.evaluate(() =>
      (window as unknown as { reader: ReadableStreamDefaultReader }).reader.cancel(),
    );
    await waitForIdle(owner);

    const leaving = await openTab();
    await leaving.evaluate(() => {
      const messages = [{ role: "user", content: "Hello" }];
      const body = JSON.stringify({ messages, ignore_eos: true });
      const headers = { "content-type": "application/json" };
      void fetch("/v1/chat/completions", { method: "POST", headers, body });
    });
    await expect.poll(() => requests(owner), { timeout: 60_000 }).toBe(1);
    await leaving.close();
    await waitForIdle(owner);

    const closing = await openTab();
    await beginStream(closing);
    await closing.close();
    await waitForIdle(owner);
    expect(await ask(owner, "red-circle.png", "What's in this image?")).toBe("A red circle.");
  });

  test("when the service worker is stopped, the next request works", async () => {
    expect(await ask(other, "red-circle.png", "What's in this image?")).toBe("A red circle.");
    await stopServiceWorkers(owner);
    expect(await ask(other, "night.png", "Is there a star?")).toBe(
      "Yes, there is a small white star.",
    );
  });

  test("when the service worker is stopped during a stream, the model is free again", async () => {
    await beginStream(other);
    await stopServiceWorkers(owner);
    await waitForIdle(owner);
    expect(await ask(other, "red-circle.png", "What's in this image?")).toBe("A red circle.");
  });

  test("when the owner closes, a stream ends with an error event, and the next tab answers the waiting request", async () => {
    await beginStream(other);
    const waiting = ask(other, "night.png", "Describe the picture.");
    await owner.close();
    const rest = await other.evaluate(async () => {
      const { reader } = window as unknown as { reader: ReadableStreamDefaultReader<Uint8Array> };
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return text;
        text += new TextDecoder().decode(value);
      }
    });
    const last = JSON.parse(rest.trim().split("\n\n").at(-1)?.slice("data: ".length) ?? "");
    expect(last).toMatchObject({ error: { type: "server_error", code: "owner_gone" } });
    expect(await waiting).toBe("A small white star and a yellow moon.");
    expect(await other.evaluate(() => [window.loads, window.server.owner])).toEqual([1, true]);
  });

  test("a tab that withdraws its offer frees its model, and the next tab answers", async () => {
    const second = await openTab();
    await other.evaluate(() => window.server.close());
    expect(await ask(other, "red-circle.png", "What's in this image?")).toBe("A red circle.");
    expect(await second.evaluate(() => window.loads)).toBe(1);
    await expect.poll(() => other.workers().length).toBe(0);
  });

  /** Fetches in every way. @returns each whole response, or the error of the request or of its body */
  function fetchAll(tab: Page) {
    return tab.evaluate(async () => {
      const elsewhere = location.origin.replace("127.0.0.1", "localhost");
      const fetched = async (path: string, init?: RequestInit) => {
        const response = await fetch(path, init).catch((error: Error) => error);
        if (response instanceof Error) return { failed: response.name };
        const { status, statusText, type, redirected, url } = response;
        const headers = [...response.headers].filter(([name]) => name !== "date");
        const body = await response.text().catch((error: Error) => error.name);
        const text = body.replace(/----WebKitFormBoundary\w+/g, "boundary");
        return { status, statusText, type, redirected, url, headers, text };
      };
      const post = { method: "POST", headers: { "x-own": "mine" } };
      const form = new FormData();
      form.set("a", "b");
      form.set("file", new File([Uint8Array.of(0, 200, 255)], "name.bin"));
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const given = new AbortController();
      given.abort();
      document.cookie = "who=me";
      return {
        get: await fetched("/echo?q=1#fragment"),
        head: await fetched("/echo", { method: "HEAD" }),
        delete: await fetched("/echo", { method: "DELETE" }),
        "below another prefix": await fetched("/v2/echo", { ...post, method: "PUT", body: "a=b" }),
        "a path that only begins alike": await fetched("/v1x/missing"),
        "no cookies": await fetched("/echo", { credentials: "omit" }),
        keepalive: await fetched("/echo", { ...post, body: "a=b", keepalive: true }),
        "a text": await fetched("/echo", { ...post, body: "a=b" }),
        "a form": await fetched("/echo", { ...post, body: form }),
        "form fields": await fetched("/echo", { ...post, body: new URLSearchParams({ a: "ä" }) }),
        bytes: await fetched("/echo", { ...post, body: bytes }),
        "a file": await fetched("/echo", { ...post, body: new Blob([bytes], { type: "a/b" }) }),
        "no content": await fetched("/echo?status=204"),
        "a refusal": await fetched("/echo?status=418", { ...post, body: "a=b" }),
        "a server's error": await fetched("/echo?status=500"),
        "a missing file": await fetched("/missing.png"),
        "a redirect": await fetched("/redirect"),
        "a redirect with its body": await fetched("/redirect?status=307", { ...post, body: "a=b" }),
        "an opaque redirect": await fetched("/redirect", { redirect: "manual" }),
        "a redirect that is refused": await fetched("/redirect", { redirect: "error" }),
        "a part": await fetched("/range", { headers: { range: "bytes=2-5" } }),
        "no connection": await fetched("/fails"),
        "a connection that breaks": await fetched("/breaks"),
        "an aborted one": await fetched("/echo", { signal: given.signal }),
        "another origin, allowed": await fetched(`${elsewhere}/images/red-circle.png`),
        "another origin, refused": await fetched(`${elsewhere}/echo`),
        "another origin, opaque": await fetched(`${elsewhere}/echo`, { mode: "no-cors" }),
        "another origin's /v1/": await fetched(`${elsewhere}/v1/models`),
      };
    });
  }
});

describe("without a model,", () => {
  beforeEach(newContext);
  afterEach(() => context.close());

  test("every request for a device is counted, wherever it is made", async () => {
    const tab = await openTab(false);
    await tab.evaluate(async () => {
      await navigator.serviceWorker.register("/webvlm-service-worker.js");
      await navigator.serviceWorker.ready;
    });
    const frame = await openFrame(tab);
    const inWorker = (type: WorkerType) =>
      tab.evaluate(async (type) => {
        const code = `navigator.gpu.requestAdapter()
          .then((adapter) => adapter.requestDevice())
          .then(() => postMessage("there"))`;
        const script = new Blob([code], { type: "text/javascript" });
        const worker = new Worker(URL.createObjectURL(script), { type });
        await new Promise((resolve, reject) => {
          worker.onmessage = resolve;
          worker.onerror = ({ message }) => reject(new Error(message));
        });
        worker.terminate();
      }, type);
    const requestDevice = async () => {
      const adapter = await navigator.gpu.requestAdapter();
      await adapter?.requestDevice();
    };
    const [serviceWorker] = context.serviceWorkers();
    const places = [
      () => tab.evaluate(requestDevice),
      () => frame.evaluate(requestDevice),
      () => inWorker("classic"),
      () => inWorker("module"),
      () => serviceWorker?.evaluate(requestDevice),
    ];
    const counts = [];
    for (const ask of places) {
      await ask();
      counts.push(devices);
    }
    expect(counts).toEqual([1, 2, 3, 4, 5]);
  });

  test("when the owner closes and no tab takes over, requests get a 503 with retry-after", async () => {
    const tabs = [await openTab(false), await openTab(false)] as const;
    const [owner, other] = tabs;
    await owner.evaluate(async () => {
      await navigator.serviceWorker.register("/impatient.js", { type: "module" });
      const fetch = async () => Response.json({ object: "list", data: [] });
      await window.serveOrigin({ id: "none", fetch } as unknown as webvlm.Vlm);
    });
    await other.waitForFunction(() => navigator.serviceWorker.controller);
    const ask = () =>
      other.evaluate(async () => {
        const response = await fetch("/v1/models");
        const { error } = await response.json();
        return [response.status, response.headers.get("retry-after"), error?.code];
      });
    expect(await ask()).toEqual([200, null, undefined]);
    await owner.close();
    expect(await ask()).toEqual([503, "2", "no_owner"]);
  });

  test("without a service worker the offer fails, and the error says what to do", async () => {
    const tab = await openTab(false);
    const refused = await tab.evaluate(() =>
      window.offer({ script: "" }).catch((error: Error) => error.message),
    );
    expect(refused).toMatch(/no service worker is registered.*pass its script/);
  });
});

test("a streamed upload passes through piece by piece", async () => {
  /** The text that the server has received. */
  let uploaded = "";
  const secure = await listen(
    readFiles,
    (request, response) => {
      if (request.url === "/uploaded") response.end(uploaded);
      else if (request.url === "/upload") {
        request.on("data", (piece: Buffer) => (uploaded += piece.toString()));
        request.on("end", () => response.end("done"));
      } else return false;
      return true;
    },
    // Chromium streams uploads over HTTP/2 only.
    (listener) => createSecureServer({ ...selfSigned() }, listener as never) as unknown as Server,
  );
  const trusting = await launch("--ignore-certificate-errors");
  const url = origin(secure).replace("http:", "https:");
  try {
    const tab = await trusting.newPage();
    await tab.goto(`${url}/`);
    const upload = () =>
      tab.evaluate(async () => {
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        const init = { method: "POST", body: readable, duplex: "half" };
        const answered = fetch("/upload", init as RequestInit);
        const writer = writable.getWriter();
        const seen: string[] = [];
        for (const piece of ["one ", "two "]) {
          await writer.write(new TextEncoder().encode(piece));
          let text = "";
          while (!text.endsWith(piece)) text = await (await fetch("/uploaded")).text();
          seen.push(text);
        }
        await writer.close();
        return [...seen, await (await answered).text()];
      });
    expect(await upload()).toEqual(["one ", "one two ", "done"]);
    await tab.evaluate(async () => {
      const { serviceWorker } = navigator;
      await serviceWorker.register("/webvlm-service-worker.js");
      while (!serviceWorker.controller) await new Promise((resolve) => setTimeout(resolve, 10));
    });
    uploaded = "";
    expect(await upload()).toEqual(["one ", "one two ", "done"]);
  } finally {
    await trusting.close();
    secure.close();
  }
});
