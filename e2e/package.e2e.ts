import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Page } from "playwright";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type * as webvlm from "../src/index.ts";
import { sharedBrowser } from "./browser.ts";
import { BUNDLERS } from "./bundlers.ts";
import { listen, origin } from "./plain-site.ts";
import { ROOT } from "./root.ts";
import { run } from "./serve-process.ts";
import { shared } from "./shared.ts";

/**
 * The app that the package is installed into. It has no other package: no plugin of a bundler, no
 * types.
 */
const MAIN = `
import { load } from "webvlm";

async function ask() {
  const vlm = await load("/models/sample");
  const image = { type: "image_url", image_url: { url: "/images/red-circle.png" } };
  const content = [image, { type: "text", text: "What's in this image?" }];
  const request = { messages: [{ role: "user", content }], temperature: 0 };
  const answers = [await vlm.generate(request), await vlm.generate({ ...request, regex: "no|yes" })];
  vlm.dispose();
  return answers.map(({ choices }) => choices[0].message.content.trim());
}

ask().then(
  (answers) => (globalThis.answers = answers),
  (error) => (globalThis.answers = [String(error)]),
);
`;

const TYPES = `
import { type ChatCompletionRequest, DeviceError, type Responses, type Vlm, load } from "webvlm";
import { answerOrigin } from "webvlm/service-worker";

const request: ChatCompletionRequest = { messages: [{ role: "user", content: "Hello!" }] };
const vlm: Promise<Vlm> = load("org/name", { quantization: "q8" });
vlm.then(async (vlm) => {
  const text: string | null | undefined = (await vlm.generate(request)).choices[0]?.message.content;
  for await (const chunk of vlm.stream(request)) console.log(chunk.id, text);
}, (error: unknown) => error instanceof DeviceError);
export const output: Responses.ResponseObject["output"] = [];
export { answerOrigin };
// @ts-expect-error: an unknown role
request.messages.push({ role: "nobody", content: "" });
`;

const HTML = (script: string): string => `<!doctype html>
<html lang="en">
  <title>App</title>
  <script type="module" src="${script}"></script>
</html>`;

/**
 * A page without a bundler. The library is from another origin, like a CDN. A worker script of another
 * origin would be refused, so this also proves that the worker is inlined.
 */
const plainHtml = (library: string): string => `<!doctype html>
<html lang="en">
  <title>Plain page</title>
  <script type="module">
    import * as webvlm from "${library}";
    window.webvlm = webvlm;
  </script>
</html>`;

declare global {
  interface Window {
    readonly webvlm: typeof webvlm;
  }
}

/** An answer that needs the file that compiles formats. */
const YES_OR_NO = expect.stringMatching(/^(no|yes)$/) as string;

let app: string;
let installed: string;
/** What bundles the app, one bundler after another while the tests run. Each resolves to its warnings. */
const bundled = new Map<string, Promise<readonly string[]>>();

beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), "webvlm-app-"));
  installed = join(app, "node_modules", "webvlm");
  await writeFile(join(app, "package.json"), JSON.stringify({ name: "app", type: "module" }));
  const args = ["install", await shared("package"), "--omit=optional", "--prefer-offline"];
  const { code, stdout, stderr } = await run("npm", args, { cwd: app });
  expect(code, stdout + stderr).toBe(0);
  await writeFile(join(app, "main.js"), MAIN);
  await writeFile(join(app, "types.ts"), TYPES);
  await writeFile(join(app, "index.html"), HTML("./main.js"));
  let before: Promise<unknown> = Promise.resolve();
  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    const warnings = before.then(async () => {
      await mkdir(join(app, name));
      return bundle(app, join(app, name));
    });
    before = warnings.catch(() => {}); // The bundler's test gets the error.
    bundled.set(name, warnings);
  }
});

afterAll(async () => {
  await Promise.allSettled(bundled.values());
  await rm(app, { recursive: true });
});

/** Opens a site, which has the sample model and images, in a page with a context of its own. */
async function onSite<T>(
  read: (path: string) => Promise<string | Buffer>,
  use: (page: Page) => Promise<T>,
): Promise<T> {
  const site = await listen((path) => {
    if (/^\/(models|images)\//.test(path)) return readFile(join(ROOT, "public", path));
    return read(path);
  });
  const context = await (await sharedBrowser()).newContext();
  context.setDefaultTimeout(120_000);
  try {
    const page = await context.newPage();
    await page.goto(`${origin(site)}/`);
    return await use(page);
  } finally {
    await context.close();
    site.close();
  }
}

test("has the files that package.json names, and no internal ones", async () => {
  const files = await readdir(installed, { recursive: true });
  const json = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
  const named = [json.exports, json.bin, json.main, json.types].flatMap(paths);
  expect(named).toHaveLength(9);
  for (const path of named) expect(files).toContain(path.replace(/^\.\//, ""));
  const types = files.filter((path) => path.endsWith(".d.ts"));
  expect(types.sort()).toEqual(["dist/lib/service-worker.d.ts", "dist/lib/webvlm.d.ts"]);
  expect(files.filter((path) => /^(public|src|e2e)/.test(path))).toEqual([]);
  expect(json.dependencies).toBeUndefined();
});

/** The paths that a field of package.json names, whatever its conditions. */
function paths(field: string | Record<string, unknown>): string[] {
  if (typeof field === "string") return [field];
  return Object.values(field).flatMap((value) => paths(value as string));
}

describe("in Node", () => {
  test("load says that it needs a page", async () => {
    const code =
      'import("webvlm").then(({ load }) => load("org/name")).catch((error) => console.log(error.message))';
    const { stdout } = await run(process.execPath, ["-e", code], { cwd: app });
    expect(stdout).toContain('In Node, run the command "npx webvlm" instead.');
  });

  test("the command runs, and says that the sample model is not there", async () => {
    const command = join(app, "node_modules", ".bin", "webvlm");
    const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
    expect((await run(command, ["--version"], { cwd: app })).stdout).toBe(`${version}\n`);
    const { code, stderr } = await run(command, ["inspect"], { cwd: app });
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^webvlm: Name a model, for example/),
    ]);
  });

  test("the command says what to do while it is not built", async () => {
    const clone = join(app, "clone");
    await cp(join(ROOT, "bin"), join(clone, "bin"), { recursive: true });
    await cp(join(ROOT, "package.json"), join(clone, "package.json"));
    const { code, stderr } = await run(process.execPath, [
      join(clone, "bin", "webvlm.js"),
      "serve",
    ]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("npm run build")]);
  });
});

test.each([
  ["bundler", ts.ModuleResolutionKind.Bundler, ts.ModuleKind.ESNext],
  ["node16", ts.ModuleResolutionKind.Node16, ts.ModuleKind.Node16],
  ["nodenext", ts.ModuleResolutionKind.NodeNext, ts.ModuleKind.NodeNext],
] as const)("has types that TypeScript accepts as %s", (_, moduleResolution, module) => {
  const program = ts.createProgram([join(app, "types.ts")], {
    module,
    moduleResolution,
    target: ts.ScriptTarget.ES2022,
    types: [],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  });
  const messages = ts.getPreEmitDiagnostics(program).map(({ messageText }) => messageText);
  expect(messages).toEqual([]);
});

test("answers in a plain page, after one import of one file from another origin", async () => {
  const cdn = await listen((path) => readFile(join(installed, "dist", "lib", path)));
  const html = plainHtml(`${origin(cdn)}/webvlm.js`);
  const result = await onSite(
    async () => html,
    async (page) => {
      await page.waitForFunction(() => "webvlm" in window);
      return page.evaluate(async () => {
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
        const chosen = await vlm.generate({ messages, temperature: 0, regex: "no|yes" });
        const refused = await vlm.generate({ messages: [] }).catch((error: unknown) => error);
        const { status, param } = refused as InstanceType<typeof OpenAIError>;

        vlm.dispose();
        const after = await fetch("/v1/models");
        return {
          answers: [fetched, generated.choices[0]?.message.content, streamed].map((t) => t.trim()),
          chosen: chosen.choices[0]?.message.content,
          refused: [refused instanceof OpenAIError, status, param],
          after: after.headers.get("content-type"),
        };
      });
    },
  );
  cdn.close();
  expect(result).toEqual({
    answers: ["A red circle.", "A red circle.", "A red circle."],
    chosen: YES_OR_NO,
    refused: [true, 400, "messages"],
    after: "text/html",
  });
});

/** Checkpoints that the first worker can't read. Their cases say what the reference answers. */
const PACKED = [
  {
    model: "e2e/goldens/packed/mlx-qwen2_5_vl-4bit",
    cases: "e2e/goldens/packed/mlx-qwen2_5_vl-4bit/cases.json",
    name: "image",
  },
  {
    model: ".cache/goldens/gguf/smolvlm/TinySmolVLM-Q4_K_M.gguf",
    cases: "e2e/goldens/gguf/smolvlm/cases.json",
    name: "text",
  },
];

test("answers of a quantized and a converted checkpoint and of a GGUF file, in the full worker", async () => {
  const asked = await Promise.all(
    PACKED.map(async ({ model, cases, name }) => {
      const all = JSON.parse(await readFile(join(ROOT, cases), "utf8")) as Case[];
      const { messages, max_tokens, output_ids } = all.find((one) => one.name === name) as Case;
      const absolute = JSON.stringify(messages).replace("wide.png", "/e2e/goldens/packed/wide.png");
      return { model: `/${model}`, messages: JSON.parse(absolute), max_tokens, output_ids };
    }),
  );
  const converted = await shared("converted");
  const hello = [{ role: "user" as const, content: "Hello!" }];
  const read = async (path: string) => {
    if (path === "/") return plainHtml("/webvlm.js");
    if (path.startsWith("/converted/")) return readFile(join(converted, basename(path)));
    const isModel = /^\/(e2e|\.cache)\//.test(path);
    return readFile(isModel ? join(ROOT, path) : join(installed, "dist", "lib", path));
  };
  const answers = await onSite(read, async (page) => {
    await page.waitForFunction(() => "webvlm" in window);
    return page.evaluate(
      async ([requests, hello]) => {
        const ids: unknown[] = [];
        for (const { model, messages, max_tokens } of requests) {
          const vlm = await window.webvlm.load(model, { contextLength: 256, quantization: "f32" });
          const options = { temperature: 0, return_token_ids: true };
          const { choices } = await vlm.generate({ messages, max_tokens, ...options });
          ids.push(choices[0]?.token_ids);
          vlm.dispose();
        }
        const vlm = await window.webvlm.load("/converted");
        const { choices } = await vlm.generate({ messages: hello, temperature: 0 });
        vlm.dispose();
        return [...ids, choices[0]?.message.content?.trim()];
      },
      [asked, hello] as const,
    );
  });
  const greeting = "Hello! Show me a simple drawing and ask me about it.";
  expect(answers).toEqual([...asked.map(({ output_ids }) => output_ids), greeting]);
});

interface Case {
  readonly name: string;
  readonly messages: Parameters<webvlm.Vlm["generate"]>[0]["messages"];
  readonly max_tokens: number;
  readonly output_ids: readonly number[];
}

test.each([...Object.keys(BUNDLERS)])(
  "answers in a page, bundled by %s, which warns of nothing",
  async (name) => {
    expect(await bundled.get(name)).toEqual([]);
    const out = join(app, name);
    const isWritten = (await readdir(out)).includes("index.html");
    const read = async (path: string) => {
      if (path === "/" && !isWritten) return HTML("./main.js");
      return readFile(join(out, path === "/" ? "index.html" : path));
    };
    const answers = await onSite(read, async (page) => {
      const done = await page.waitForFunction(() => (globalThis as { answers?: string[] }).answers);
      return done.jsonValue();
    });
    expect(answers).toEqual(["A red circle.", YES_OR_NO]);
  },
);
