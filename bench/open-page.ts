import { fileURLToPath } from "node:url";
import { type Page, chromium } from "playwright";
import { createServer } from "vite";
import { CHROMIUM_ARGS, findChromium } from "../scripts/chromium.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * Opens a page of the repository in a headless Chromium, served by vite, for as long as `use`
 * takes.
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
  const browser = await chromium.launch({
    ...(executablePath && { executablePath }),
    args: CHROMIUM_ARGS,
  });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    page.on("pageerror", (error) => console.error(error.message));
    await page.goto(`${server.resolvedUrls?.local[0]}${path}`);
    await page.waitForFunction((name) => name in window, ready);
    return await use(page);
  } finally {
    await browser.close();
    await server.close();
  }
}
