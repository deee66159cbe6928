import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

const PLAIN_HTML = `<!doctype html>
<html lang="en">
  <title>Plain page</title>
  <script type="importmap">{ "imports": { "webvlm": "/webvlm/webvlm.js" } }</script>
  <script type="module" src="/main.js"></script>
</html>`;

let app: string;
let installed: string;

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
});

afterAll(() => rm(app, { recursive: true }));

/** Serves a folder, the sample model and images. @returns the answers that `MAIN` got */
async function answersOf(folder: string): Promise<readonly string[]> {
  const site = await listen(async (path) => {
    const isPublic = path.startsWith("/models/") || path.startsWith("/images/");
    return readFile(
      join(isPublic ? join(ROOT, "public") : folder, path === "/" ? "index.html" : path),
    );
  });
  const context = await (await sharedBrowser()).newContext();
  context.setDefaultTimeout(120_000);
  try {
    const page = await context.newPage();
    await page.goto(`${origin(site)}/`);
    const answers = await page.waitForFunction(
      () => (globalThis as { answers?: string[] }).answers,
    );
    return (await answers.jsonValue()) as string[];
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

describe("answers in a page", () => {
  // The second answer needs the file that compiles formats.
  const ANSWERS = ["A red circle.", expect.stringMatching(/^(no|yes)$/)];

  test("as it is", async () => {
    const site = join(app, "plain");
    await cp(join(installed, "dist", "lib"), join(site, "webvlm"), { recursive: true });
    await writeFile(join(site, "main.js"), MAIN);
    await writeFile(join(site, "index.html"), PLAIN_HTML);
    expect(await answersOf(site)).toEqual(ANSWERS);
  });

  test.each(Object.entries(BUNDLERS))(
    "bundled by %s, which warns of nothing",
    async (name, bundle) => {
      const out = join(app, name);
      await mkdir(out);
      expect(await bundle(app, out)).toEqual([]);
      const files = await readdir(out);
      if (!files.includes("index.html"))
        await writeFile(join(out, "index.html"), HTML("./main.js"));
      expect(await answersOf(out)).toEqual(ANSWERS);
    },
  );
});
