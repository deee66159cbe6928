import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Page, chromium } from "playwright";
import { createServer } from "vite";
import { CHROMIUM_ARGS, findChromium } from "../scripts/chromium.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * Opens a page of the repository in a headless Chromium with a profile of its own, served by vite, for as
 * long as `use` takes. Without a profile, what pages store would be in the browser's memory.
 *
 * @param path of the page below the repository's root
 * @param ready name of the global that the page sets when it can be used
 */
export async function withPage<T>(
  path: string,
  ready: string,
  use: (page: Page) => Promise<T>,
): Promise<T> {
  const server = await createServer({
    root: ROOT,
    configFile: false,
    logLevel: "error",
    server: { port: 0, host: "127.0.0.1", watch: null, hmr: false },
    optimizeDeps: { exclude: ["onnxruntime-web"], noDiscovery: true },
  });
  await server.listen();
  const executablePath = findChromium();
  const profile = await mkdtemp(join(tmpdir(), "webvlm-bench-"));
  const context = await chromium.launchPersistentContext(profile, {
    ...(executablePath && { executablePath }),
    args: CHROMIUM_ARGS,
  });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(0);
    page.on("pageerror", (error) => console.error(error.message));
    await page.goto(`${server.resolvedUrls?.local[0]}${path}`);
    await page.waitForFunction((name) => name in window, ready);
    return await use(page);
  } finally {
    await context.close();
    await server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
