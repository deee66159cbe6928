import { readFile } from "node:fs/promises";
import type { Server } from "node:http";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import type * as webvlm from "../src/index.ts";
import { sharedBrowser } from "./browser.ts";
import { listen, origin } from "./plain-site.ts";
import { ROOT } from "./root.ts";
import { shared } from "./shared.ts";

/**
 * The built library on a plain page without a bundler, from another origin like a CDN. A worker
 * script of another origin would be refused, so this also proves that the worker is inlined.
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

let cdn: Server;
let app: Server;
let tab: Page;

beforeAll(async () => {
  const library = await shared("library");
  cdn = await listen(async (path) => readFile(join(library, path)));
  app = await listen(async (path) => {
    return path === "/" ? page(`${origin(cdn)}/webvlm.js`) : readFile(join(ROOT, "public", path));
  });
  tab = await (await sharedBrowser()).newPage();
});

afterAll(async () => {
  await tab.close();
  app.close();
  cdn.close();
});

test("answers fetch after one import of one file from another origin", async () => {
  await tab.goto(`${origin(app)}/`);
  await tab.waitForFunction(() => "webvlm" in window);
  const result = await tab.evaluate(async () => {
    const { load, OpenAIError } = window.webvlm;
    const vlm = await load("./models/sample");
    vlm.intercept();
    const messages = [
      {
        role: "user" as const,
        content: [
          { type: "image_url" as const, image_url: { url: "./images/red-circle.png" } },
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
  expect(result).toEqual({
    answers: ["A red circle.", "A red circle.", "A red circle."],
    refused: [true, 400, "messages"],
    after: 404,
  });
});
