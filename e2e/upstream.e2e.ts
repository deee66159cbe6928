import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { type Server, createServer, request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { type Page, chromium } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findChromium } from "../scripts/chromium.ts";
import type { ChatCompletion, Completion } from "../src/openai/wire.ts";
import { type Site, openSample, openSite, openTools } from "./browser.ts";
import { type CodeBlock, codeBlocks, nameOf } from "./code-blocks.ts";
import { type DocsPage, type DocsSite, openDocsSite } from "./page-blocks.ts";
import { origin } from "./plain-site.ts";
import { ROOT } from "./root.ts";
import { type Serving, run, startServe } from "./serve-process.ts";
import { shared } from "./shared.ts";
import { type Terminal, lacking, openTerminal } from "./terminal-blocks.ts";

/** The sample model under the name of a larger one, in a cache of the hub. */
const MODEL = "Qwen/Qwen2.5-VL-7B-Instruct";
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const KEY = "sk-upstream";

let command: string;
/** A cache of the hub that has the upstream's model. */
let cache: string;
let site: Site;
let docs: DocsSite;
let upstream: Serving;

beforeAll(async () => {
  command = await shared("command");
  cache = await mkdtemp(join(tmpdir(), "webvlm-hub-"));
  const repository = join(cache, "hub", `models--${MODEL.replace("/", "--")}`);
  await mkdir(join(repository, "refs"), { recursive: true });
  await mkdir(join(repository, "snapshots"));
  await writeFile(join(repository, "refs", "main"), COMMIT);
  await symlink(join(ROOT, "public/models/sample"), join(repository, "snapshots", COMMIT));
  site = await openSite();
  docs = await openDocsSite();
  upstream = await startUpstream();
});
afterAll(async () => {
  await upstream.kill();
  await docs.close();
  await rm(cache, { recursive: true });
});

/** Starts a `webvlm serve` that answers pages of both sites. */
async function startUpstream(): Promise<Serving> {
  const origins = [site.url, docs.url].map((url) => new URL(url).origin);
  const args = ["--cors-origin", ...origins, "--model", MODEL, "--api-key", KEY];
  const serving = await startServe(command, args, { HF_HOME: cache, HF_HUB_OFFLINE: "1" });
  expect(await serving.ready).toContain(`answers as "${MODEL}"`);
  return serving;
}

/** Starts a server that passes all requests to the upstream, with its key. */
function openWithoutKey(): Promise<Server> {
  const server = createServer((request, response) => {
    const { url = "/", method, headers } = request;
    const options = { method, headers: { ...headers, authorization: `Bearer ${KEY}` } };
    const passed = httpRequest(upstream.url + url, options, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    passed.on("error", () => response.destroy());
    response.on("close", () => passed.destroy());
    request.pipe(passed);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

const HELLO = [{ role: "user" as const, content: "Hello!" }];

/** Tokens of the long answer. Its request is greedy, so each answer is the same. */
const LONG = 400;
const LONG_BODY = {
  model: MODEL,
  messages: HELLO,
  temperature: 0,
  max_tokens: LONG,
  ignore_eos: true,
};

/** Sends a request to the upstream itself. */
async function askUpstream<T>(path: string, body: object): Promise<T> {
  const response = await fetch(`${upstream.url}/v1/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${KEY}` },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

/** The tokens of the prompt and of the long answer. */
let whole: { prompt: number; ids: number[] } | undefined;

/**
 * Tests that the upstream's GPU stops when a client leaves an answer. The upstream's cache keeps the
 * keys and values of all computed tokens, so the cached tokens of a later request count them.
 *
 * @param leave asks for the long answer, and leaves it early
 */
async function expectStopped(leave: (body: object) => Promise<unknown>): Promise<void> {
  if (!whole) {
    const answer = await askUpstream<ChatCompletion>("chat/completions", {
      ...LONG_BODY,
      return_token_ids: true,
    });
    const prompt = answer.prompt_token_ids as number[];
    whole = { prompt: prompt.length, ids: [...prompt, ...(answer.choices[0]?.token_ids ?? [])] };
    expect(whole.ids.length).toBe(prompt.length + LONG);
  }
  const { prompt, ids } = whole;
  // The request waits in the queue until the answer ends or is aborted.
  const far = async (): Promise<number> => {
    const { usage } = await askUpstream<Completion>("completions", {
      model: MODEL,
      prompt: ids,
      max_tokens: 1,
    });
    return (usage?.prompt_tokens_details?.cached_tokens ?? 0) - prompt;
  };
  await far();
  expect(await far()).toBeGreaterThan(LONG - 10);
  await askUpstream("flush_cache", {});
  await leave(LONG_BODY);
  expect(await far()).toBeLessThan(LONG / 2);
}

describe("webvlm serve --upstream", () => {
  let serving: Serving;
  let client: OpenAI;
  beforeAll(async () => {
    const args = ["--upstream", `${upstream.url}/v1`, "--api-key", "sk-ours"];
    serving = await startServe(command, args, { WEBVLM_UPSTREAM_API_KEY: KEY });
    // The upstream answers requests for its model while the local model loads.
    const early = new OpenAI({ baseURL: `${serving.url}/v1`, apiKey: "sk-ours", maxRetries: 0 });
    expect(await ask(early, MODEL)).toBe(MODEL);
    expect(await serving.ready).toBe(
      `ready: ${serving.url}/v1 answers as "sample" and through ${upstream.url}/v1`,
    );
    client = early;
  });
  afterAll(() => serving.kill());

  const ask = async (client: OpenAI, model: string): Promise<string> => {
    const body = { model, messages: HELLO, temperature: 0 };
    const answer = await client.chat.completions.create(body);
    expect(answer.choices[0]?.message.content).toContain("Show me a simple drawing");
    return answer.model;
  };

  test("answers by model, and lists both", async () => {
    expect(await ask(client, MODEL)).toBe(MODEL);
    expect(await ask(client, "sample")).toBe("sample");
    expect(await ask(client, "default")).toBe("sample");
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["sample", MODEL]);
    expect((await client.models.retrieve(MODEL)).owned_by).toBe("webvlm");
  });

  test("streams", async () => {
    const body = { model: MODEL, messages: HELLO, temperature: 0 };
    const whole = await client.chat.completions.create(body);
    const stream = client.chat.completions.stream(body);
    expect(await stream.finalContent()).toBe(whole.choices[0]?.message.content);
    const { request_id } = await client.chat.completions.create(body).withResponse();
    expect(request_id).toMatch(/^req_/);
  });

  test.each([true, false])("leaving stops the upstream's GPU (stream: %s)", (stream) =>
    expectStopped(async (body) => {
      const left = new AbortController();
      const answer = fetch(`${serving.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: "Bearer sk-ours" },
        body: JSON.stringify({ ...body, stream }),
        signal: left.signal,
      });
      if (stream) await ((await answer).body as ReadableStream).getReader().read();
      else setTimeout(() => left.abort(), 500);
      left.abort();
      await answer.catch(() => {});
    }),
  );

  test("passes errors byte for byte", async () => {
    const send = async (url: string, key: string, body: object) => {
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        body: JSON.stringify(body),
      });
      const { status, headers } = response;
      return [status, headers.get("x-should-retry"), await response.text()];
    };
    const unreadable = [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }];
    for (const wrong of [
      { messages: [] },
      { messages: HELLO, temperature: 9 },
      { messages: HELLO, max_tokens: 0 },
      { messages: [{ role: "user", content: unreadable }] },
    ]) {
      const body = { model: MODEL, ...wrong };
      const expected = await send(upstream.url, KEY, body);
      expect(expected[0]).toBe(400);
      expect(await send(serving.url, "sk-ours", body)).toEqual(expected);
    }
  });

  test("accepts its own key, not the upstream's", async () => {
    for (const apiKey of [KEY, "none"]) {
      const stranger = new OpenAI({ baseURL: `${serving.url}/v1`, apiKey, maxRetries: 0 });
      await expect(ask(stranger, MODEL)).rejects.toMatchObject({ status: 401 });
    }
  });

  test("finds stored responses where they were made", async () => {
    for (const model of [MODEL, "sample"]) {
      const { id } = await client.responses.create({ model, input: "Hello!" });
      expect((await client.responses.retrieve(id)).model).toBe(model);
      await client.responses.delete(id);
      await expect(client.responses.retrieve(id)).rejects.toMatchObject({ status: 404 });
    }
  });
});

describe("webvlm serve --upstream on a machine that can't run the model", () => {
  let serving: Serving;
  beforeAll(async () => {
    const args = ["--upstream", upstream.url, "--upstream-api-key", KEY];
    serving = await startServe(command, [...args, "--upstream-models", `${MODEL},org/other`], {
      VK_ICD_FILENAMES: "/nowhere/icd.json",
    });
  });
  afterAll(() => serving.kill());

  test("says so, and answers through the upstream", async () => {
    expect(await serving.ready).toBe(`ready: ${serving.url}/v1 answers through ${upstream.url}/v1`);
    expect((await fetch(`${serving.url}/health`)).status).toBe(200);
    const client = new OpenAI({ baseURL: `${serving.url}/v1`, apiKey: "none", maxRetries: 0 });
    const body = { messages: HELLO, temperature: 0 };
    for (const model of [MODEL, "default"]) {
      expect((await client.chat.completions.create({ model, ...body })).model).toBe(MODEL);
    }
    const ids = (await client.models.list()).data.map(({ id }) => id);
    expect(ids).toEqual([MODEL, "org/other"]);
    const unknown = client.chat.completions.create({ model: "sample", ...body });
    await expect(unknown).rejects.toMatchObject({ status: 404, code: "model_not_found" });
    serving.signal("SIGINT");
    const { code, stderr } = await serving.finished;
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/No GPU was found.*upstream answers/),
    ]);
  });
});

test("webvlm serve --help describes the upstream", async () => {
  const { stdout } = await run(process.execPath, [command, "serve", "--help"]);
  for (const option of ["--upstream <url>", "--upstream-models <ids>", "WEBVLM_UPSTREAM_API_KEY"]) {
    expect(stdout).toContain(option);
  }
  expect(stdout).toMatch(/\$ webvlm serve --upstream http/);
});

test.each([
  [["--upstream", "nonsense"], /"nonsense" is not a URL/],
  [["--upstream", "http://user:secret@gpu-box/v1"], /more than host and path/],
  [["--upstream-models", "a,b"], /--upstream-models needs --upstream/],
  [["--upstream-api-key", "secret"], /--upstream-api-key needs --upstream/],
  [["--upstream", "http://gpu-box", "--upstream-models", " ,"], /Expected names/],
  [["--port", "34567", "--upstream", "http://localhost:34567"], /is this server itself/],
])("webvlm serve %j is refused", async (args, message) => {
  const failed = await startServe(command, args).then(
    () => "it started",
    (error: Error) => error.message,
  );
  expect(failed).toMatch(message);
  expect(failed).not.toContain("secret@");
});

describe("intercept({ upstream }) in a page", () => {
  let page: Page;
  beforeAll(async () => {
    page = await openSample();
    await page.evaluate(
      async ({ url, apiKey }) => {
        const vlm = await window.tools.loadSample();
        Object.assign(window, {
          // The shared page's other requests are answered as before.
          undo: vlm.intercept({ prefix: "/mixed/v1/", upstream: { url, apiKey } }),
          client: new window.tools.OpenAI({
            baseURL: `${location.origin}/mixed/v1`,
            apiKey: "the-client's",
            dangerouslyAllowBrowser: true,
            maxRetries: 0,
          }),
        });
      },
      { url: `${upstream.url}/v1`, apiKey: KEY },
    );
  });
  afterAll(() => page.evaluate(() => (window as unknown as { undo(): void }).undo()));

  /** What the page asks its own endpoint, by fetch. */
  const post = (body: unknown) =>
    page.evaluate(async (body) => {
      const response = await window.tools.post(body, "/mixed/v1/chat/completions");
      const { status, headers } = response;
      return { status, headers: Object.fromEntries(headers), text: await response.text() };
    }, body);

  test("answers by model, through the openai package too", async () => {
    const result = await page.evaluate(
      async ({ models, messages }) => {
        const { client } = window as unknown as { client: OpenAI };
        const answered = [];
        for (const model of models) {
          const body = { model, messages, temperature: 0 };
          const whole = await client.chat.completions.create(body);
          const streamed = await client.chat.completions.stream(body).finalChatCompletion();
          const contents = [whole, streamed].map(({ choices }) => choices[0]?.message.content);
          const requestId = whole._request_id?.slice(0, 4);
          answered.push({ model: whole.model, requestId, same: contents[0] === contents[1] });
        }
        const list = await client.models.list();
        return { answered, listed: list.data.map(({ id }) => id) };
      },
      { models: ["sample", MODEL], messages: HELLO },
    );
    expect(result).toEqual({
      answered: ["sample", MODEL].map((model) => ({ model, requestId: "req_", same: true })),
      listed: ["sample", MODEL],
    });
  });

  test.each([
    ["a relative URL", "/images/red-circle.png"],
    ["the page's own", "http://{host}/images/red-circle.png"],
    ["a blob", "blob:"],
  ])("sends %s as an image", async (_, url) => {
    const content = await page.evaluate(
      async ({ url, model }) => {
        let source = url.replace("{host}", location.host);
        if (url === "blob:") {
          const file = await (await fetch("/images/red-circle.png")).blob();
          source = URL.createObjectURL(file);
        }
        const image = { type: "image_url", image_url: { url: source } };
        const text = { type: "text", text: "What's in this image?" };
        const messages = [{ role: "user", content: [image, text] }];
        const body = { model, messages, temperature: 0 };
        const response = await window.tools.post(body, "/mixed/v1/chat/completions");
        const answer = await response.json();
        return answer.choices?.[0].message.content ?? answer;
      },
      { url, model: MODEL },
    );
    expect(content.trim()).toBe("A red circle.");
  });

  test("names an image that the page can't read", async () => {
    const image = { type: "image_url", image_url: { url: "blob:nothing" } };
    const result = await post({ model: MODEL, messages: [{ role: "user", content: [image] }] });
    expect(result.status).toBe(400);
    expect(JSON.parse(result.text).error).toMatchObject({
      code: "failed_to_download_image",
      param: "messages[0].content[0].image_url.url",
    });
  });

  test("passes errors on byte for byte, and never its key", async () => {
    const body = { model: MODEL, messages: HELLO, temperature: 9 };
    const direct = await fetch(`${upstream.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${KEY}` },
      body: JSON.stringify(body),
    });
    const result = await post(body);
    expect([result.status, result.text]).toEqual([400, await direct.text()]);
    expect(result.headers).toMatchObject({ "x-should-retry": "false" });
    expect(result.headers["x-request-id"]).toMatch(/^req_/);
    expect(JSON.stringify(result)).not.toContain(KEY);
  });

  test.each(["abort", "cancel"] as const)("%s stops the upstream's GPU", (how) =>
    expectStopped((body) =>
      page.evaluate(
        async ({ body, how }) => {
          const left = new AbortController();
          const response = await fetch("/mixed/v1/chat/completions", {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ ...body, stream: true }),
            signal: left.signal,
          });
          const reader = (response.body as ReadableStream<Uint8Array>).getReader();
          await reader.read();
          if (how === "cancel") return reader.cancel();
          left.abort();
          await reader.read().catch((error: Error) => error.name);
        },
        { body, how },
      ),
    ),
  );

  test("reaches a stored response where it was made", async () => {
    const result = await page.evaluate(
      async (models) => {
        const { client } = window as unknown as { client: OpenAI };
        const made = [];
        for (const model of models) {
          const { id } = await client.responses.create({ model, input: "Hello!" });
          const got = (await client.responses.retrieve(id)).model;
          await client.responses.delete(id); // A method that CORS has to allow.
          const gone = await client.responses.retrieve(id).catch((error) => error.status);
          made.push([got, gone]);
        }
        return made;
      },
      ["sample", MODEL],
    );
    expect(result).toEqual([
      ["sample", 404],
      [MODEL, 404],
    ]);
  });

  test("an upstream that is not there leaves the page's model alone", async () => {
    const result = await page.evaluate(async (messages) => {
      const vlm = await window.tools.loadSample();
      const undo = vlm.intercept({ prefix: "/down/", upstream: { url: "http://127.0.0.1:1" } });
      const ask = async (path: string, body?: object) => {
        const response = await (body ? window.tools.post(body, path) : fetch(path));
        return [response.status, await response.json()] as const;
      };
      const result = {
        theirs: await ask("/down/chat/completions", { model: "org/any", messages }),
        ours: (await ask("/down/chat/completions", { messages }))[0],
        models: (await ask("/down/models"))[1].data.length,
      };
      undo();
      return result;
    }, HELLO);
    expect(result).toMatchObject({ ours: 200, models: 1 });
    const [status, { error }] = result.theirs;
    expect([status, error.code]).toEqual([502, "upstream_unreachable"]);
    expect(error.message).toContain(`does not allow pages of ${new URL(site.url).origin}`);
  });
});

test("a page without WebGPU is answered by the upstream alone", async () => {
  const executablePath = findChromium();
  const browser = await chromium.launch({
    ...(executablePath && { executablePath }),
    args: ["--no-sandbox", "--disable-gpu", "--disable-features=WebGPU,WebGPUService"],
  });
  try {
    const page = await openTools(site, await browser.newContext());
    const result = await page.evaluate(
      async ({ url, apiKey, messages }) => {
        const { DeviceError, intercept, load, post } = window.tools;
        const error = await load("/models/sample").catch((error: unknown) => error);
        const undo = intercept({ upstream: { url, apiKey } });
        const answer = await (await post({ model: "default", messages, temperature: 0 })).json();
        const health = (await fetch("/v1/health")).status;
        undo();
        return {
          ...{ error: (error as Error).name, isDeviceError: error instanceof DeviceError },
          ...{ model: answer.model, health, after: (await post({})).status },
        };
      },
      { url: upstream.url, apiKey: KEY, messages: HELLO },
    );
    expect(result).toMatchObject({
      error: "NoGpuError",
      isDeviceError: true,
      model: MODEL,
      health: 200,
    });
    expect(result.after).toBe(404);
  } finally {
    await browser.close();
  }
});

describe("docs/upstream.md", () => {
  const blocks = codeBlocks("docs/upstream.md");
  const isPages = (block: CodeBlock): boolean =>
    block.language === "js" && !/from "openai"/.test(block.code);
  let open: Server;
  let page: DocsPage;
  let terminal: Terminal;
  beforeAll(async () => {
    open = await openWithoutKey();
    page = await docs.open({ change: addressed, loadsOnce: true });
    terminal = await openTerminal(command);
  });
  afterAll(async () => {
    await terminal.close();
    await page.close();
    open.close();
  });

  const addressed = (code: string): string => code.replaceAll("http://gpu-box:30000", origin(open));

  test("has code of each kind", () => {
    expect(blocks.filter(isPages).length).toBeGreaterThan(2);
    const languages = new Set(blocks.map(({ language }) => language));
    expect(languages).toEqual(new Set(["js", "sh", "python"]));
  });

  for (const [i, block] of blocks.entries()) {
    const lacks = isPages(block) ? undefined : lacking(block);
    const skipped = block.notRun !== undefined || lacks !== undefined;
    test.skipIf(skipped)(nameOf(block, i) + (lacks ? ` (skipped, ${lacks})` : ""), async () => {
      const expected = block.output?.trim() ?? "";
      if (isPages(block)) return expect((await page.run(block)).trim()).toBe(expected);
      const { code, stdout, stderr } = await terminal.run({
        ...block,
        code: addressed(block.code),
      });
      expect([code, stderr]).toEqual([0, ""]);
      if (block.output !== undefined) expect(stdout.trim()).toBe(expected);
    });
  }

  test("what is claimed of the service worker's page is so", async () => {
    const [tab] = page.context.pages();
    const result = await tab?.evaluate(async (model) => {
      const frame = document.createElement("iframe");
      frame.src = "/images/red-circle.png";
      document.body.append(frame);
      await new Promise((resolve) => (frame.onload = resolve));
      const ask = async (model: string) => {
        const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello!" }] });
        const headers = { "content-type": "application/json" };
        const init = { method: "POST", headers, body };
        const response = await (frame.contentWindow as Window).fetch("/v1/chat/completions", init);
        return (await response.json()).model;
      };
      return [await ask("default"), await ask(model)];
    }, MODEL);
    expect(result).toEqual(["sample", MODEL]);
  });
});
