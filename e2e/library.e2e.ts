import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import type { Browser } from "playwright";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import type * as webvlm from "../src/index.ts";
import { ROOT, launch } from "./browser.ts";

/**
 * The built library on a plain page, with no bundler, from another origin: as from a CDN. A worker
 * script of another origin would be refused, so this also tells that the worker is inlined.
 */
const page = (library: string): string => `<!doctype html>
<title>A plain page</title>
<script type="module">
  import * as webvlm from "${library}";
  window.webvlm = webvlm;
</script>`;

declare global {
  interface Window {
    readonly webvlm: typeof webvlm;
  }
}

let folder: string;
let cdn: Server;
let app: Server;
let browser: Browser;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "webvlm-"));
  await build({
    configFile: join(ROOT, "vite.lib.config.ts"),
    root: ROOT,
    logLevel: "error",
    build: { outDir: folder },
  });
  cdn = await listen(async (path) => readFile(join(folder, path)));
  app = await listen(async (path) => {
    return path === "/" ? page(`${origin(cdn)}/webvlm.js`) : readFile(join(ROOT, "public", path));
  });
  browser = await launch();
});

afterAll(async () => {
  await browser.close();
  app.close();
  cdn.close();
  await rm(folder, { recursive: true });
});

const TYPES: Readonly<Record<string, string>> = {
  "": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".png": "image/png",
};

function listen(read: (path: string) => Promise<string | Buffer>): Promise<Server> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url as string, "http://localhost");
    const headers = {
      "access-control-allow-origin": "*",
      "content-type": TYPES[extname(pathname)] ?? "application/octet-stream",
    };
    read(pathname).then(
      (body) => response.writeHead(200, headers).end(body),
      () => response.writeHead(404).end(),
    );
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

const origin = (server: Server): string =>
  `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

test("one import of one file, from another origin, and fetch is answered", async () => {
  const tab = await browser.newPage();
  await tab.goto(`${origin(app)}/`);
  await tab.waitForFunction(() => "webvlm" in window);
  const told = await tab.evaluate(async () => {
    const { load, OpenAIError } = window.webvlm;
    const vlm = await load("./models/sample");
    vlm.intercept();
    const messages = [
      {
        role: "user" as const,
        content: [
          { type: "image_url" as const, image_url: { url: "./pictures/red-circle.png" } },
          { type: "text" as const, text: "What's in this image?" },
        ],
      },
    ];
    const body = JSON.stringify({ messages, temperature: 0 });
    const headers = { "content-type": "application/json" };
    const response = await fetch("/v1/chat/completions", { method: "POST", headers, body });
    const fetched = (await response.json()).choices[0].message.content;

    const generated = await vlm.generate({ messages, temperature: 0 });
    let streamed = "";
    for await (const { choices } of vlm.stream({ messages, temperature: 0 })) {
      streamed += choices[0]?.delta.content ?? "";
    }
    const refused = await vlm.generate({ messages: [] }).catch((error: unknown) => error);
    const { status, param } = refused as InstanceType<typeof OpenAIError>;

    vlm.dispose();
    const after = await fetch("/v1/models");
    return {
      answers: [fetched, generated.choices[0]?.message.content, streamed].map((t) => t.trim()),
      refused: [refused instanceof OpenAIError, status, param],
      after: after.status,
    };
  });
  expect(told).toEqual({
    answers: ["A red circle.", "A red circle.", "A red circle."],
    refused: [true, 400, "messages"],
    after: 404,
  });
});
