import { readFile } from "node:fs/promises";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { join } from "node:path";
import type { Browser, BrowserContext, Frame, Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type * as webvlm from "../src/index.ts";
import { ROOT, launch } from "./browser.ts";
import { buildLibrary, listen, origin } from "./plain-site.ts";

/** A tab that offers the sample model when told to, and counts how often it has loaded it. */
const TAB = `<!doctype html>
<title>A tab</title>
<script type="module">
  import { load, serveOrigin } from "/webvlm.js";
  window.loads = 0;
  window.offer = async (options) => {
    window.server = await serveOrigin(async () => {
      window.loads++;
      window.vlm = await load("/models/sample");
      return window.vlm;
    }, { script: "/webvlm-service-worker.js", waitMs: 120_000, ...options });
  };
</script>`;

const FRAME = `<!doctype html><title>A frame</title>`;

interface Tab {
  readonly loads: number;
  readonly vlm: webvlm.Vlm;
  readonly server: webvlm.OriginServer;
  offer(options?: webvlm.ServeOriginOptions): Promise<void>;
}

declare global {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- a global can only be merged
  interface Window extends Tab {}
}

let library: Awaited<ReturnType<typeof buildLibrary>>;
let app: Server;
let browser: Browser;
let context: BrowserContext;

beforeAll(async () => {
  library = await buildLibrary();
  app = await listen(async (path) => {
    if (path === "/") return TAB;
    if (path === "/frame.html") return FRAME;
    if (/^\/(models|pictures)\//.test(path)) return readFile(join(ROOT, "public", path));
    if (path.endsWith(".png")) return readFile(join(ROOT, "e2e/goldens/sample", path));
    return readFile(join(library.folder, path));
  }, ownRoutes);
  browser = await launch();
});

afterAll(async () => {
  await browser.close();
  app.close();
  await library.remove();
});

beforeEach(async () => {
  context = await browser.newContext();
});

afterEach(async () => {
  await context.close();
});

/** What an app's own server answers, below and beside what is claimed. */
function ownRoutes(request: IncomingMessage, response: ServerResponse): boolean {
  const { pathname } = new URL(request.url as string, "http://localhost");
  if (pathname === "/redirect") {
    response.writeHead(302, { location: "/echo?from=redirect" }).end();
  } else if (pathname === "/fails") {
    response.socket?.destroy();
  } else if (pathname === "/echo" || pathname === "/v2/echo") {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { method, url, headers } = request;
      response.writeHead(418, { "x-own": "yes", "content-type": "application/json" });
      response.end(JSON.stringify({ method, url, own: headers["x-own"], body }));
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

/** A question about a picture, asked by fetch; the answer's text, or the status and error. */
function ask(from: Page | Frame, picture: string, text: string, stream = false): Promise<string> {
  return from.evaluate(
    async ({ picture, text, stream }) => {
      const content = [
        { type: "image_url", image_url: { url: `/${picture}` } },
        { type: "text", text },
      ];
      const body = JSON.stringify({
        messages: [{ role: "user", content }],
        temperature: 0,
        stream,
      });
      const headers = { "content-type": "application/json" };
      const response = await fetch("/v1/chat/completions", { method: "POST", headers, body });
      const told = await response.text();
      if (!response.ok) return `${response.status} ${told}`;
      const events = stream ? told.match(/\{.*\}/g) : [told];
      const parts = (events ?? []).map((event) => {
        const choice = JSON.parse(event).choices[0];
        return (choice.message ?? choice.delta).content ?? "";
      });
      return parts.join("").trim();
    },
    { picture, text, stream },
  );
}

/** Begins a stream that goes on until the context is full; resolves at its first event. */
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

describe("one engine for the whole origin", () => {
  test("two tabs, a frame and a worker share it, and streams don't mix", async () => {
    const owner = await openTab();
    const other = await openTab();
    const frame = await openFrame(other);
    const loads = [owner, other].map((tab) => tab.evaluate(() => window.loads));
    expect(await Promise.all(loads)).toEqual([1, 0]);
    expect([owner, other].map((tab) => tab.workers().length)).toEqual([1, 0]);

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
  });

  test("XMLHttpRequest and workers are answered too", async () => {
    await openTab();
    const other = await openTab(false);
    await other.waitForFunction(() => navigator.serviceWorker.controller);
    const told = await other.evaluate(async () => {
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
    expect(told).toEqual([expect.stringContaining("sample"), told[0]]);
  });

  test("a caller that cancels or goes stops the model", async () => {
    const owner = await openTab();
    const other = await openTab();
    await beginStream(other);
    expect(await requests(owner)).toBe(1);
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

    await beginStream(other);
    await other.close();
    await waitForIdle(owner);
    expect(await ask(owner, "red-circle.png", "What's in this image?")).toBe("A red circle.");
  });
});

describe("when the owner closes", () => {
  test("a stream ends with an error event, and the next tab answers what waits", async () => {
    const owner = await openTab();
    const other = await openTab();
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

  test("a tab that takes its offer back hands over, and frees its model", async () => {
    const first = await openTab();
    const second = await openTab();
    await first.evaluate(() => window.server.close());
    expect(await ask(first, "red-circle.png", "What's in this image?")).toBe("A red circle.");
    expect(await second.evaluate(() => window.loads)).toBe(1);
    await expect.poll(() => first.workers().length).toBe(0);
  });

  test("and nobody takes over, requests are told to come again", async () => {
    const owner = await openTab();
    const other = await openTab(false);
    await other.waitForFunction(() => navigator.serviceWorker.controller);
    await owner.close();
    const told = await other.evaluate(async () => {
      const response = await fetch("/v1/models");
      const { error } = await response.json();
      return [response.status, response.headers.get("retry-after"), error.code];
    });
    expect(told).toEqual([503, "2", "no_owner"]);
  });
});

describe("when the service worker is stopped", () => {
  test("the next request works", async () => {
    const owner = await openTab();
    const other = await openTab();
    expect(await ask(other, "red-circle.png", "What's in this image?")).toBe("A red circle.");
    await stopServiceWorkers(owner);
    expect(await ask(other, "night.png", "Is there a star?")).toBe(
      "Yes, there is a small white star.",
    );
  });

  test("in mid-stream, the model is free again", async () => {
    const owner = await openTab();
    const other = await openTab();
    await beginStream(other);
    await stopServiceWorkers(owner);
    await waitForIdle(owner);
    expect(await ask(other, "red-circle.png", "What's in this image?")).toBe("A red circle.");
  });
});

test("while the model loads, requests wait, and health says so at once", async () => {
  const tab = await openTab(false);
  const told = await tab.evaluate(async () => {
    const offered = window.offer();
    await navigator.serviceWorker.ready;
    while (!navigator.serviceWorker.controller) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const [models, health] = await Promise.all(
      ["/v1/models", "/v1/health"].map((path) => fetch(path)),
    );
    await offered;
    return { models: models?.status, health: [health?.status, (await fetch("/v1/health")).status] };
  });
  expect(told).toEqual({ models: 200, health: [503, 200] });
});

test("an app's own fetches pass through unchanged", async () => {
  const tab = await openTab(false);
  const tell = () =>
    tab.evaluate(async () => {
      const told = async (path: string, init?: RequestInit) => {
        const response = await fetch(path, init).catch((error: Error) => error);
        if (response instanceof Error) return response.name;
        const { status, redirected, url } = response;
        const own = response.headers.get("x-own");
        return { status, redirected, url, own, text: await response.text() };
      };
      const post = { method: "POST", body: "a=b", headers: { "x-own": "mine" } };
      return Promise.all([
        told("/echo"),
        told("/echo", post),
        told("/v2/echo", { ...post, method: "PUT" }),
        told("/redirect"),
        told("/fails"),
        told("/v1x/missing"),
      ]);
    });
  const before = await tell();
  expect(before[4]).toBe("TypeError");
  await tab.evaluate(() => window.offer());
  expect(await tab.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);
  expect(await tell()).toEqual(before);
});

test("without a service worker the offer is refused, and says what to do", async () => {
  const tab = await openTab(false);
  const refused = await tab.evaluate(() =>
    window.offer({ script: "" }).catch((error: Error) => error.message),
  );
  expect(refused).toMatch(/no service worker is registered.*name its script/);
});
