import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, type Frame, type Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sharedBrowser } from "./browser.ts";
import { listen, origin } from "./plain-site.ts";
import { ROOT } from "./root.ts";
import { run } from "./serve-process.ts";
import { shared } from "./shared.ts";

const CIRCLE = join(ROOT, "public", "images", "red-circle.png");

let browser: Browser;
let context: BrowserContext;

/** The examples, which start and are built while the first tests run. */
let started: Record<"plain" | "react" | "service-worker", Promise<Example>>;
let built: Record<"react" | "service-worker", Promise<Example>>;

beforeAll(async () => {
  browser = await sharedBrowser();
  started = {
    plain: start("plain"),
    react: start("react"),
    "service-worker": start("service-worker"),
  };
  built = { react: build("react"), "service-worker": build("service-worker") };
  // The tests that need them get their errors.
  for (const example of [...Object.values(started), ...Object.values(built)])
    example.catch(() => {});
});
afterAll(async () => {
  for (const example of Object.values(built)) await (await example).stop();
});
beforeEach(async () => {
  context = await browser.newContext();
  context.setDefaultTimeout(60_000);
});
afterEach(() => context.close());

/** A running example. */
interface Example {
  readonly url: string;
  stop(): Promise<void>;
}

/** Vite reads NODE_ENV, which the test runner sets. */
const ENVIRONMENT = { NODE_ENV: "", NO_COLOR: "1" };

/**
 * Starts an example by the command that its README names. The command builds the library first; here
 * one build serves all tests.
 */
async function start(name: string): Promise<Example> {
  const { scripts } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const [build, command] = scripts[`example:${name}`].split(" && ");
  expect(build).toBe("npm run build:lib");
  await shared("library");
  // A process group, because npm leaves its children running.
  const env = { ...process.env, ...ENVIRONMENT };
  const options = { cwd: ROOT, detached: true, env, shell: true };
  const child = spawn(`${command} --port 0`, options);
  const closed = new Promise((resolve) => child.on("close", resolve));
  const url = await printedUrl(child);
  return {
    url,
    async stop() {
      process.kill(-(child.pid as number));
      await closed;
    },
  };
}

function printedUrl(child: ChildProcess): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    child.stdout?.on("data", (data: Buffer) => {
      text += data.toString();
      const url = /(http:\/\/localhost:\d+\/)/.exec(text)?.[1];
      if (url) resolve(url);
    });
    child.stderr?.on("data", (data: Buffer) => (text += data.toString()));
    child.on("close", (code) => reject(new Error(`it ended with ${code}: ${text}`)));
  });
}

/** Opens a page, and prints the errors that it does not catch. */
async function open(url: string): Promise<Page> {
  const page = await context.newPage();
  page.on("pageerror", (error) => console.error(`in the page: ${error.stack}`));
  await page.goto(url);
  return page;
}

async function ask(from: Page | Frame, question: string): Promise<void> {
  await from.getByLabel("Question").fill(question);
  await from.getByRole("button", { name: "Ask" }).click();
}

/** Waits for the end of the answer. */
async function answer(from: Page | Frame): Promise<string> {
  await from.locator('output[aria-busy="false"]:not(:empty)').waitFor();
  return (await from.locator("output").innerText()).trim();
}

/** Presses Stop at the first text. Returns the text of the stopped answer. */
async function stopAtFirstText(from: Page | Frame, question: string): Promise<string> {
  await from.evaluate(() => {
    const output = document.querySelector("output") as HTMLOutputElement;
    const stop = [...document.querySelectorAll("button")].find((b) => b.textContent === "Stop");
    const observer = new MutationObserver(() => {
      if (!output.textContent?.trim()) return;
      observer.disconnect();
      stop?.click();
    });
    observer.observe(output, { childList: true, characterData: true, subtree: true });
  });
  await ask(from, question);
  return answer(from);
}

const LONG = "Describe this image.";
const LONG_ANSWER =
  "A green triangle, a small pink heart, an orange square and a small purple moon.";
const NO_IMAGE = { name: "image.png", mimeType: "image/png", buffer: Buffer.from("none") };
const FOUR_SHAPES = join(ROOT, "public", "images", "four-shapes.png");

describe("examples/plain", () => {
  let example: Example;
  beforeAll(async () => {
    example = await started.plain;
  });
  afterAll(() => example.stop());

  test("stops loading, shows errors, streams an answer, and stops it", async () => {
    const page = await open(example.url);
    await context.route("**/*.safetensors", () => {}); // Stays without an answer.
    await page.getByLabel("Image").setInputFiles(CIRCLE);
    expect(page.workers()).toEqual([]);
    await ask(page, "What's in this image?");
    await page.getByText("Loading the model…").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("Stopped.").waitFor();
    expect(await page.getByRole("progressbar").count()).toBe(0);

    await context.unroute("**/*.safetensors");
    await context.route("**/config.json", (route) => route.fulfill({ status: 404 }));
    await ask(page, "What's in this image?");
    await page.getByRole("alert").filter({ hasText: "config.json" }).waitFor();

    await context.unroute("**/config.json");
    await ask(page, "What's in this image?");
    await page.getByRole("progressbar").waitFor();
    expect(await answer(page)).toBe("A red circle.");
    expect(await page.getByRole("progressbar").count()).toBe(0);

    await page.getByLabel("Image").setInputFiles(NO_IMAGE);
    await ask(page, "What's in this image?");
    await page.getByRole("alert").filter({ hasText: "The image can't be decoded" }).waitFor();

    await page.getByLabel("Image").setInputFiles(FOUR_SHAPES);
    const stopped = await stopAtFirstText(page, LONG);
    expect(LONG_ANSWER.startsWith(stopped) && stopped.length < LONG_ANSWER.length).toBe(true);
    expect(await page.locator("[role=status]").innerText()).toBe("Stopped.");
    await ask(page, LONG);
    expect(await answer(page)).toBe(LONG_ANSWER);
    expect(page.workers().length).toBe(1);
  });
});

describe("examples/react", () => {
  let example: Example;
  beforeAll(async () => {
    example = await started.react;
  });
  afterAll(() => example.stop());

  test("shows an error, tries again, loads once in strict mode, shows progress, streams and stops", async () => {
    const page = await context.newPage();
    const workers: string[] = [];
    page.on("worker", (worker) => workers.push(worker.url()));
    await context.route("**/config.json", (route) => route.fulfill({ status: 404 }));
    await page.goto(example.url);
    await page.getByRole("alert").filter({ hasText: "config.json" }).waitFor();
    expect(workers.length).toBe(1);

    let arrived = (): void => {};
    const held = new Promise<void>((resolve) => (arrived = resolve));
    await context.route("**/*.safetensors", async (route) => {
      await held;
      await route.continue();
    });
    await context.unroute("**/config.json");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("progressbar", { name: "Loading the model…" }).waitFor();
    arrived();
    await page.getByLabel("Image").setInputFiles(NO_IMAGE);
    await ask(page, "What's in this image?");
    await page.getByRole("alert").filter({ hasText: "The image can't be decoded" }).waitFor();

    await page.getByLabel("Image").setInputFiles(FOUR_SHAPES);
    const stopped = await stopAtFirstText(page, LONG);
    expect(LONG_ANSWER.startsWith(stopped) && stopped.length < LONG_ANSWER.length).toBe(true);
    await ask(page, LONG);
    expect(await answer(page)).toBe(LONG_ANSWER);
    expect(workers.length).toBe(2);
  });

  test("is built for production", async () => {
    const page = await open((await built.react).url);
    await page.getByLabel("Image").setInputFiles(CIRCLE);
    await ask(page, "What's in this image?");
    expect(await answer(page)).toBe("A red circle.");
  });
});

describe("examples/service-worker", () => {
  let example: Example;
  beforeAll(async () => {
    example = await started["service-worker"];
  });
  afterAll(() => example.stop());

  test("a second tab and a frame ask the first tab's model, and the second takes over", async () => {
    const [first, second] = await shareOneModel(example.url);
    await first.close();
    await second.getByText("This tab has the model.").waitFor();
    await ask(second, "What's in this image?");
    expect(await answer(second)).toBe("A red circle.");
  });

  test("is built for production", async () => {
    await shareOneModel((await built["service-worker"]).url);
  });

  async function shareOneModel(url: string): Promise<[first: Page, second: Page]> {
    const first = await open(url);
    await first.getByText("This tab has the model.").waitFor();
    const opened = context.waitForEvent("page");
    await first.getByRole("link", { name: "Open a second tab" }).click();
    const second = await opened;
    await second.getByText("Another tab has the model").waitFor();

    const frame = second.frame({ url: /frame/ }) as Frame;
    await Promise.all([ask(first, "What's in this image?"), ask(frame, "Describe the picture.")]);
    expect(await answer(first)).toBe("A red circle.");
    expect(await answer(frame)).toBe("A small white star and a yellow moon.");
    const stopped = await stopAtFirstText(frame, "Describe the picture.");
    expect(stopped.length).toBeLessThan("A small white star and a yellow moon.".length);
    expect([first, second].map((tab) => tab.workers().length)).toEqual([1, 0]);

    const cached = await second.evaluate(async () => {
      const requests = await (await caches.open("images")).keys();
      return requests.map((request) => new URL(request.url).pathname).sort();
    });
    expect(cached).toEqual(["/images/night.png", "/images/red-circle.png"]);
    return [first, second];
  }
});

/** Builds an example as its package does, and serves what comes of it as plain files. */
async function build(name: string): Promise<Example> {
  await shared("library");
  const folder = await mkdtemp(join(tmpdir(), "webvlm-example-"));
  const args = ["run", "build", "--workspace", `examples/${name}`, "--", "--outDir", folder];
  const { code, stderr } = await run("npm", [...args, "--emptyOutDir"], { env: ENVIRONMENT });
  expect(code, stderr).toBe(0);
  const site = await listen((path) => readFile(join(folder, path === "/" ? "index.html" : path)));
  return {
    url: `${origin(site)}/`,
    async stop() {
      site.close();
      await rm(folder, { recursive: true });
    },
  };
}
