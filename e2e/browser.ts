import { type Browser, type BrowserContext, type Page, chromium } from "playwright";
import { CHROMIUM_ARGS, findChromium } from "../scripts/chromium.ts";
import type * as tools from "./page/main.ts";
import { shared } from "./shared.ts";

/** The project as `npm start` serves it, and a Chromium to open it. */
export interface Site {
  /** Ends in a slash. */
  readonly url: string;
  readonly browser: Browser;
  /** Opens a page at a path of the site, by default in a new context. */
  open(path?: string, context?: BrowserContext): Promise<Page>;
}

let connected: Promise<Browser> | undefined;
let samplePage: Promise<Page> | undefined;

/** The Chromium that all end-to-end tests share. Each test closes the contexts that it opens. */
export function sharedBrowser(): Promise<Browser> {
  return (connected ??= shared("browser").then((address) => chromium.connect(address)));
}

/** The site and the Chromium that all end-to-end tests share. */
export async function openSite(): Promise<Site> {
  const [url, browser] = await Promise.all([shared("site"), sharedBrowser()]);
  return {
    url,
    browser,
    async open(path = "", context) {
      const page = await (context ?? (await browser.newContext())).newPage();
      page.on("pageerror", (error) => console.error(`in the page: ${error.stack}`));
      await page.goto(new URL(path, url).href);
      return page;
    },
  };
}

/**
 * Starts another Chromium, which the test closes.
 *
 * @param args more arguments than those that all tests need
 */
export function launch(...args: readonly string[]): Promise<Browser> {
  const executablePath = findChromium();
  const all = [...CHROMIUM_ARGS, ...args];
  return chromium.launch({ ...(executablePath && { executablePath }), args: all });
}

declare global {
  interface Window {
    /** The exports of `e2e/page/main.ts`, for `page.evaluate`. */
    readonly tools: typeof tools;
  }
}

/** Opens the test page, where `window.tools` has the library and the OpenAI SDK. */
export async function openTools(site: Site, context?: BrowserContext): Promise<Page> {
  const page = await site.open("e2e/page/index.html", context);
  await page.waitForFunction(() => "tools" in window);
  return page;
}

/**
 * Opens the test page with the sample model behind its `fetch`. All tests that only send requests
 * share one page, because a software adapter takes seconds to compile a model's kernels. It stays open.
 */
export function openSample(): Promise<Page> {
  return (samplePage ??= loadSample());
}

async function loadSample(): Promise<Page> {
  const page = await openTools(await openSite());
  await page.evaluate(async () => void (await window.tools.interceptSample()));
  return page;
}
