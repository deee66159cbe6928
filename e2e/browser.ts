import { type Browser, type BrowserContext, type Page, chromium } from "playwright";
import { CHROMIUM_ARGS, findChromium } from "../scripts/chromium.ts";
import type * as tools from "./page/main.ts";
import { shared } from "./shared.ts";

/** The project served as `npm start` serves it, and a Chromium to look at it with. */
export interface Site {
  /** Ends in a slash. */
  readonly url: string;
  readonly browser: Browser;
  /** A page at a path of the site, in a context of its own unless given one. */
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
 * A Chromium of its own, which the test closes.
 *
 * @param args added to those that all tests need
 */
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

/**
 * The bare test page with the sample model answering its `fetch`: one page for all tests that only
 * ask, since a software adapter takes seconds to compile a model's kernels. It stays open.
 */
export function openSample(): Promise<Page> {
  return (samplePage ??= loadSample());
}

async function loadSample(): Promise<Page> {
  const page = await openTools(await openSite());
  await page.evaluate(async () => void (await window.tools.interceptSample()));
  return page;
}
