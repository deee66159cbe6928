import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, type Page, chromium } from "playwright";
import { type InlineConfig, type ViteDevServer, createServer } from "vite";
import { CHROMIUM_ARGS, findChromium } from "../scripts/chromium.ts";
import type * as tools from "./page/main.ts";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The project served as `npm start` serves it, and a Chromium to look at it with. */
export interface Site {
  /** Ends in a slash. */
  readonly url: string;
  readonly browser: Browser;
  /** A page at a path of the site, in a context of its own unless given one. */
  open(path?: string, context?: BrowserContext): Promise<Page>;
  close(): Promise<void>;
}

/** Call in `beforeAll`, once a file; `close` in `afterAll`. */
export async function openSite(): Promise<Site> {
  const server = await serve();
  const browser = await launch();
  const url = server.resolvedUrls?.local[0] as string;
  return {
    url,
    browser,
    async open(path = "", context) {
      const page = await (context ?? (await browser.newContext())).newPage();
      page.on("pageerror", (error) => console.error(`in the page: ${error.stack}`));
      await page.goto(new URL(path, url).href);
      return page;
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

async function serve(config: InlineConfig = {}): Promise<ViteDevServer> {
  const server = await createServer({
    root: ROOT,
    // Of its own, so that a running `npm start` is not disturbed.
    cacheDir: fileURLToPath(new URL("../node_modules/.vite-e2e", import.meta.url)),
    logLevel: "error",
    // What `page/clients.ts` imports, besides what vite.config.ts names.
    optimizeDeps: {
      include: [
        "@ai-sdk/openai-compatible",
        "@langchain/core/messages",
        "@langchain/openai",
        "ai",
        "openai/helpers/zod",
        "zod",
      ],
    },
    server: { host: "127.0.0.1", port: 0, hmr: false, watch: null },
    ...config,
  });
  return server.listen();
}

/** @param args beside those that all tests need */
export function launch(...args: readonly string[]): Promise<Browser> {
  const executablePath = findChromium();
  const all = [...CHROMIUM_ARGS, ...args];
  return chromium.launch({ ...(executablePath && { executablePath }), args: all });
}

declare global {
  interface Window {
    /** What `e2e/page/main.ts` exports, for tests to use in `page.evaluate`. */
    readonly tools: typeof tools;
  }
}

/** Opens the bare test page, where `window.tools` is the library and the OpenAI SDK. */
export async function openTools(site: Site, context?: BrowserContext): Promise<Page> {
  const page = await site.open("e2e/page/index.html", context);
  await page.waitForFunction(() => "tools" in window);
  return page;
}
