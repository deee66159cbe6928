import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright";
import ts from "typescript";
import { build } from "vite";
import { expect } from "vitest";
import { sharedBrowser } from "./browser.ts";
import type { CodeBlock } from "./code-blocks.ts";
import { listen, origin } from "./plain-site.ts";
import { ROOT } from "./root.ts";
import { shared } from "./shared.ts";

/** A web site with the built library, the sample model and its images, and a browser. */
export interface DocsSite {
  readonly url: string;
  /** Opens a page that runs the blocks of one documentation page. Only one may be open. */
  open(options?: DocsPageOptions): Promise<DocsPage>;
  close(): Promise<void>;
}

export interface DocsPageOptions {
  /** Code that the text assumes, run before the first block. */
  readonly before?: string;
  /** Headers of every file of the site except `html` blocks. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The address of a server that answers in place of the Hugging Face Hub. */
  readonly hub?: () => string;
  /** Changes the code before it runs. */
  readonly change?: (code: string) => string;
  /** Loads a model once, whatever the number of calls of `load`. The page must not dispose it. */
  readonly loadsOnce?: boolean;
}

export interface DocsPage {
  readonly context: BrowserContext;
  /**
   * Runs a block. A block with a title becomes a file of the site, and HTML is opened as a page. Later
   * `js` blocks know the declarations of earlier ones, as in one file.
   *
   * @returns the lines that it wrote with `console.log`
   */
  run(block: CodeBlock): Promise<string>;
  close(): Promise<void>;
}

/** The modules that blocks import, by name. A bundler would find them. */
const MODULES: Readonly<Record<string, string>> = {
  openai: "/modules/openai.js",
  webvlm: "/modules/webvlm.js",
  "webvlm/service-worker": "/modules/service-worker.js",
};

/** The library, whose `load` returns the same model for the same source. */
const LOADS_ONCE = `import { load as loadNow } from "${MODULES.webvlm}";
export * from "${MODULES.webvlm}";
const loaded = new Map();
export function load(source, options) {
  if (!loaded.has(source)) loaded.set(source, loadNow(source, options));
  return loaded.get(source);
}`;

/** The beginning of the paths of `html` blocks. */
const HTML = "/html-";

const EMPTY_PAGE = "<!doctype html><title>Documentation</title>";

export async function openDocsSite(): Promise<DocsSite> {
  const library = await shared("library");
  const openai = await buildOpenAI();
  const files = new Map<string, string>();
  let headers: Readonly<Record<string, string>> = {};
  const server = await listen(
    async (path) => {
      const file = path === "/" ? EMPTY_PAGE : files.get(path);
      if (file !== undefined) return file;
      if (path === MODULES.openai) return readFile(join(openai, "openai.js"));
      if (path.startsWith("/modules/")) return readFile(join(library, path.slice(8)));
      if (path.startsWith("/webvlm")) return readFile(join(library, path));
      if (path === "/photo.jpg") return readFile(join(ROOT, "public/images/red-circle.png"));
      return readFile(join(ROOT, "public", path));
    },
    ({ url = "/" }, response) => {
      // An `html` block is a site with other headers.
      if (url.startsWith(HTML)) return false;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      return false;
    },
  );
  const browser = await sharedBrowser();
  const url = `${origin(server)}/`;
  return {
    url,
    open(options = {}) {
      files.clear();
      headers = options.headers ?? {};
      return openDocsPage(browser, url, files, options);
    },
    async close() {
      server.close();
      await rm(openai, { recursive: true });
    },
  };
}

/** @param files more files of the site, by path */
async function openDocsPage(
  browser: Browser,
  url: string,
  files: Map<string, string>,
  { before, hub, change = (code) => code, loadsOnce = false }: DocsPageOptions,
): Promise<DocsPage> {
  const context = await browser.newContext();
  await context.addInitScript(keepLog);
  await context.route("https://huggingface.co/**", async (route) => {
    if (!hub) return route.abort();
    const { pathname, search } = new URL(route.request().url());
    await route.fulfill({ response: await route.fetch({ url: hub() + pathname + search }) });
  });
  const page = await context.newPage();
  await page.goto(url);
  const known = new Set<string>();
  if (loadsOnce) files.set("/loads-once.js", LOADS_ONCE);
  const webvlm = loadsOnce ? "/loads-once.js" : MODULES.webvlm;
  const resolve = (code: string) => resolved(code, { ...MODULES, webvlm: webvlm as string });
  const runShared = (code: string) => runModule(page, files, continued(resolve(code), known));
  if (before !== undefined) await runShared(before);

  return {
    context,
    async run({ language, title, code, output }) {
      if (title !== undefined) {
        files.set(`/${title}`, resolve(code));
        return "";
      }
      if (language === "html") return runHtml(context, url, files, code, output);
      if (language !== "js") throw new Error(`nothing here runs ${language}: ${code}`);
      await runShared(change(code));
      return takeLog(page);
    },
    close: () => context.close(),
  };
}

/** Imports code as a module of the site, so that the site's content security policy applies to it. */
async function runModule(page: Page, files: Map<string, string>, code: string): Promise<void> {
  const path = `/blocks/${files.size}.js`;
  files.set(path, code);
  await page.evaluate(`import("${path}").then(() => {})`);
}

/** Opens one more page, with its modules at the paths of an import map. */
async function runHtml(
  context: BrowserContext,
  url: string,
  files: Map<string, string>,
  code: string,
  output: string | undefined,
): Promise<string> {
  const path = `${HTML}${files.size}.html`;
  files.set(path, code);
  const page = await context.newPage();
  await page.goto(new URL(path, url).href);
  let logged = "";
  const log = async (): Promise<string> => (logged += await takeLog(page)).trim();
  await expect.poll(log, { timeout: 120_000 }).toBe(output?.trim());
  await page.close();
  return logged;
}

declare global {
  interface Window {
    logged: string[];
  }
}

/** Runs in the page before anything else. */
function keepLog(): void {
  window.logged = [];
  console.log = (...values: unknown[]) => {
    const words = values.map((value) =>
      typeof value === "string" ? value : JSON.stringify(value),
    );
    window.logged.push(`${words.join(" ")}\n`);
  };
}

function takeLog(page: Page): Promise<string> {
  return page.evaluate(() => window.logged.splice(0).join(""));
}

/** Replaces the names of modules by their addresses, as a bundler does. */
function resolved(code: string, modules: Readonly<Record<string, string>>): string {
  return code.replace(
    /(\bfrom |\bimport )"([^"]+)"/g,
    (_, before: string, name: string) => `${before}"${modules[name] ?? name}"`,
  );
}

/**
 * Prepends the declarations of earlier code, and keeps the code's own declarations for later code.
 *
 * @param known the names declared so far. The names of this code are added.
 */
function continued(code: string, known: Set<string>): string {
  const own = declaredNames(code);
  const earlier = [...known].filter((name) => !own.includes(name));
  for (const name of own) known.add(name);
  const begin = `const { ${earlier.join(", ")} } = (globalThis.shared ??= {}); `;
  return `${begin}${code}\nObject.assign(globalThis.shared, { ${own.join(", ")} });\n`;
}

/** The names that a module declares at its top level. */
function declaredNames(code: string): string[] {
  const names: string[] = [];
  const add = (name: ts.Node | undefined): void => {
    if (!name) return;
    if (ts.isIdentifier(name)) names.push(name.text);
    else ts.forEachChild(name, (child) => ts.isBindingElement(child) && add(child.name));
  };
  for (const statement of ts.createSourceFile("block.js", code, ts.ScriptTarget.Latest)
    .statements) {
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) add(name);
    } else if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
      add(statement.name);
    } else if (ts.isImportDeclaration(statement)) {
      add(statement.importClause?.name);
      const bindings = statement.importClause?.namedBindings;
      if (bindings && ts.isNamespaceImport(bindings)) add(bindings.name);
      else for (const { name } of bindings?.elements ?? []) add(name);
    }
  }
  return names;
}

/** Bundles the OpenAI SDK into one file. @returns the file's folder */
async function buildOpenAI(): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), "webvlm-openai-"));
  const entry = join(ROOT, "node_modules/openai/index.mjs");
  await build({
    root: ROOT,
    configFile: false,
    logLevel: "error",
    build: { outDir, copyPublicDir: false, lib: { entry, formats: ["es"], fileName: "openai" } },
  });
  return outDir;
}
