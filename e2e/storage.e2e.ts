import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomFillSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type Page, chromium } from "playwright";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { CHROMIUM_ARGS, findChromium } from "../scripts/chromium.ts";
import { safetensors } from "../tests/checkpoint.ts";
import { type HubServer, startHub } from "../tests/hub-server.ts";
import { type Site, openSite, openTools } from "./browser.ts";
import type { Downloaded } from "./page/storage.ts";

/** What a real browser stores, when it is killed and when its disk is full. No GPU is needed. */

const CHUNK = 256 << 10;
const CONNECTIONS = 4;
const BYTES = 24 * CHUNK;
/** Bytes of the header, which each load reads. */
const HEADER_BYTES = 1000;

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const repository = (): Record<string, Uint8Array> => ({
  "config.json": json({ model_type: "test" }),
  "tokenizer.json": json({}),
  "model.safetensors": safetensors({
    a: { dtype: "U8", shape: [BYTES], data: randomFillSync(new Uint8Array(BYTES)) },
  }),
});

let site: Site;
let hub: HubServer;
beforeAll(async () => {
  [site, hub] = await Promise.all([
    openSite(),
    startHub({ "org/one": repository(), "org/two": repository() }),
  ]);
});
afterAll(() => hub.close());
beforeEach(() => void (hub.faults.pieceDelayMs = 0));

const weights = (name: string) => hub.repositories[name]!["model.safetensors"]!;
const hashOf = (name: string) => createHash("sha256").update(weights(name)).digest("hex");

function download(page: Page, name: string): Promise<Downloaded> {
  return page.evaluate(
    async ([name, hub, chunkBytes]) => {
      const { download } = await window.tools.storage();
      return download(name, hub, chunkBytes);
    },
    [name, hub.url, CHUNK] as const,
  );
}

/** Starts a Chromium with a profile of its own, which outlives it. */
async function startChromium(profile: string): Promise<{ child: ChildProcess; browser: Browser }> {
  const own = ["--headless=new", "--remote-debugging-port=0", `--user-data-dir=${profile}`];
  const args = [...CHROMIUM_ARGS, ...own, "--no-first-run", "about:blank"];
  const child = spawn(findChromium() ?? chromium.executablePath(), args, {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const address = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stderr.on("data", (data: Buffer) => {
      text += String(data);
      const [, found] = /DevTools listening on (ws:\S+)/.exec(text) ?? [];
      if (found) resolve(found);
    });
    child.on("error", reject);
    child.on("exit", () => reject(new Error(`Chromium ended: ${text}`)));
  });
  return { child, browser: await chromium.connectOverCDP(address) };
}

test("after the browser was killed, the next load loses a chunk per connection at most", async () => {
  const profile = await mkdtemp(join(tmpdir(), "webvlm-profile-"));
  const children: ChildProcess[] = [];
  const open = async () => {
    const { child, browser } = await startChromium(profile);
    children.push(child);
    return openTools(site, browser.contexts()[0]);
  };
  try {
    const before = hub.sentBytes;
    const page = await open();
    hub.faults.pieceDelayMs = 20;
    const killed = expect(download(page, "org/one")).rejects.toThrow();
    await expect
      .poll(() => hub.sentBytes - before, { timeout: 60_000, interval: 5 })
      .toBeGreaterThan(BYTES / 2);
    const [child] = children as [ChildProcess];
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGKILL");
    await Promise.all([killed, ended]);
    hub.faults.pieceDelayMs = 0;
    const again = await download(await open(), "org/one");
    expect(again).toMatchObject({ hash: hashOf("org/one"), stored: true });
    const { length } = weights("org/one");
    expect(again.networkBytes).toBeLessThan(length);
    expect(hub.sentBytes - before).toBeLessThanOrEqual(
      length + CONNECTIONS * CHUNK + 2 * HEADER_BYTES,
    );
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});

test("a disk that fills up costs neither this load nor an earlier model", async () => {
  const page = await openTools(site, await site.browser.newContext());
  const devtools = await page.context().newCDPSession(page);
  // What the page is told of its quota does not change, as on a disk that another program fills. Chromium
  // looks at it before the first write, and half a minute later.
  const { origin } = new URL(site.url);
  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: BYTES * 1.5 });
  expect(await download(page, "org/one")).toMatchObject({ hash: hashOf("org/one"), stored: true });
  const whole = { hash: hashOf("org/two"), networkBytes: weights("org/two").length };
  expect(await download(page, "org/two")).toEqual({ ...whole, stored: false });

  hub.requests.length = 0;
  const kept = await download(page, "org/one");
  expect(kept).toEqual({ hash: hashOf("org/one"), networkBytes: 0, stored: true });
  expect(hub.requests).toEqual([]);
  await page.context().close();
});
