import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type HubServer, readFolder, startHub } from "../tests/hub-server.ts";
import { type Site, launch, openSite, openTools } from "./browser.ts";
import { ROOT } from "./root.ts";

const NAME = "org/sample";
/** The loader keeps chunks of this size; the sample's weights are one and a half of them. */
const CHUNK_BYTES = 8 * 2 ** 20;

/** When a connection dies, the browser drops bytes that it has received but not passed on. */
const MORE_BYTES = 4e6;

let site: Site;
let hub: HubServer;
let page: Page | undefined;

beforeAll(async () => {
  site = await openSite();
  hub = await startHub({ [NAME]: readFolder(join(ROOT, "public/models/sample")) });
});
afterAll(async () => {
  await page?.context().close();
  await hub.close();
});
afterEach(async () => {
  for (const fault of Object.keys(hub.faults))
    delete (hub.faults as Record<string, unknown>)[fault];
});

/** A page with an empty store of its own. */
async function freshPage(): Promise<void> {
  await page?.context().close();
  page = await openTools(site, await site.browser.newContext());
  hub.requests.length = 0;
}

interface Outcome {
  readonly answer?: string;
  readonly error?: string;
  /** Bytes of weights that came over the network. */
  readonly networkBytes: number;
}

/**
 * Loads from the hub, asks one question, and disposes. Aborts at `abortAtBytes` bytes of weights.
 *
 * @param waits until nothing of the checkpoint's own weights is stored, because they are as the GPU has them
 */
function loadAndAsk(abortAtBytes = Infinity, waits = false): Promise<Outcome> {
  return (page as Page).evaluate(
    async ({ name, hub, abortAtBytes, waits }) => {
      const controller = new AbortController();
      let networkBytes = 0;
      try {
        const vlm = await window.tools.load(name, {
          hub,
          // "auto" keeps a model that is so small as it is.
          quantization: "q8",
          signal: controller.signal,
          onProgress: (progress) => {
            networkBytes = Math.max(networkBytes, progress.networkBytes);
            if (networkBytes >= abortAtBytes) controller.abort(new Error("no longer wanted"));
          },
        });
        const { choices } = await vlm.generate({ messages: [{ role: "user", content: "Hello!" }] });
        while (waits && (await window.tools.storedModels())[0]?.storedAs.includes("BF16")) {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        vlm.dispose();
        return { answer: choices[0]?.message.content?.trim(), networkBytes };
      } catch (error) {
        return { error: String(error), networkBytes };
      }
    },
    // JSON, which carries the arguments to the page, has no Infinity.
    {
      ...{ name: NAME, hub: hub.url, waits },
      abortAtBytes: Math.min(abortAtBytes, Number.MAX_SAFE_INTEGER),
    },
  );
}

/** The first byte of each range of weights that was requested. */
function startsOfWeights(): number[] {
  return hub.requests
    .filter(({ path }) => path.includes("model.safetensors"))
    .map(({ range }) => Number(/^bytes=(\d+)-/.exec(range ?? "bytes=0-")?.[1]));
}

/** Expects that nothing but the header was requested again. */
function expectTheRestOnly(): void {
  const starts = startsOfWeights();
  // A redirected request counts twice.
  expect([...new Set(starts.filter((first) => first >= CHUNK_BYTES))]).toEqual([CHUNK_BYTES]);
  const before = starts.filter((first) => first < CHUNK_BYTES);
  expect(before.every((first) => first < 100_000)).toBe(true);
}

const ANSWER = "Hello! Show me a simple drawing and ask me about it.";

describe("loading from a hub", () => {
  test("after an abort resumes from the stored chunks", async () => {
    await freshPage();
    hub.faults.stallAtByte = CHUNK_BYTES + MORE_BYTES;
    const aborted = await loadAndAsk(CHUNK_BYTES / 2);
    expect(aborted.error).toContain("no longer wanted");
    delete hub.faults.stallAtByte;
    hub.requests.length = 0;
    const again = await loadAndAsk(undefined, true);
    expect(again).toMatchObject({ answer: ANSWER });
    const whole = hub.repositories[NAME]?.["model.safetensors"]?.length ?? 0;
    expect(again.networkBytes).toBeLessThanOrEqual(whole - CHUNK_BYTES);
    expectTheRestOnly();
  });

  test("the next time needs no network and no quantizer", async () => {
    // What a quantizer would need is not there any more.
    const stored = await (page as Page).evaluate(() => window.tools.storedModels());
    expect(stored).toMatchObject([{ id: NAME, storedAs: ["q8"] }]);
    hub.requests.length = 0;
    expect(await loadAndAsk()).toEqual({ answer: ANSWER, networkBytes: 0 });
    expect(hub.requests).toEqual([]);
  });

  test("resumes by itself when the server died half-way and is back", async () => {
    await freshPage();
    Object.assign(hub.faults, { dieAfterBytes: MORE_BYTES, deaths: 1 });
    expect(await loadAndAsk()).toMatchObject({ answer: ANSWER });
    const later = startsOfWeights().filter((first) => first > 100_000 && first !== CHUNK_BYTES);
    // A redirected request counts twice.
    expect(new Set(later).size).toBe(1);
  });
});

test("an answer goes on when the browser's GPU process ends, and so do later ones", async () => {
  // After a few such ends Chromium gives no adapter, to protect the system.
  const browser = await launch(
    "--disable-gpu-process-crash-limit",
    "--disable-domain-blocking-for-3d-apis",
  );
  try {
    const crash = async () => {
      await (await browser.newBrowserCDPSession()).send("Browser.crashGpuProcess");
    };
    const own = await (await browser.newContext()).newPage();
    await own.goto(new URL("e2e/page/index.html", site.url).href);
    await own.waitForFunction(() => "tools" in window);
    const expected = await own.evaluate(async () => {
      const seen = { stages: [] as string[], text: "" };
      const vlm = await window.tools.load("/models/sample", {
        onProgress: ({ stage }) => seen.stages.push(stage),
      });
      const content = [
        { type: "image_url" as const, image_url: { url: "/images/four-shapes.png" } },
        { type: "text" as const, text: "Describe this image." },
      ];
      const body = { messages: [{ role: "user" as const, content }], temperature: 0 };
      const ask = { ...body, ignore_eos: true, max_tokens: 60 };
      const read = async () => {
        seen.text = "";
        for await (const { choices } of vlm.stream(ask)) {
          seen.text += choices[0]?.delta.content ?? "";
        }
        return seen.text;
      };
      Object.assign(window, { seen, read });
      return read();
    });
    type Reading = Window & { seen: { stages: string[]; text: string }; read(): Promise<string> };
    const answer = own.evaluate(() => (window as unknown as Reading).read());
    await own.waitForFunction(() => (window as unknown as Reading).seen.text.length > 10);
    await crash();
    expect(await answer).toBe(expected);
    // Nothing runs.
    await crash();
    expect(await own.evaluate(() => (window as unknown as Reading).read())).toBe(expected);
    const stages = await own.evaluate(() => (window as unknown as Reading).seen.stages);
    expect(stages.filter((stage) => stage === "recovering")).toHaveLength(2);
    expect(stages.at(-1)).toBe("ready");
  } finally {
    await browser.close();
  }
});
