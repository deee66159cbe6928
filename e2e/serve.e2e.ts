import { existsSync, readFileSync } from "node:fs";
import { type Server, createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { basename, join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ErrorBody,
  RequestMessage,
} from "../src/openai/wire.ts";
import { UNPACKED } from "../tests/goldens/paths.ts";
import { ROOT } from "./root.ts";
import { malformedRequests } from "./serve-malformed.ts";
import { type Serving, startServe } from "./serve-process.ts";
import { shared, sharedServe } from "./shared.ts";

interface Case {
  readonly name?: string;
  readonly messages: RequestMessage[];
  readonly input_ids: number[];
  readonly output_ids: number[];
  readonly max_tokens?: number;
  readonly text: string;
}

const GOLDENS = join(ROOT, "e2e", "goldens");
const SAMPLE = join(GOLDENS, "sample");

function readCases(folder: string): Case[] {
  return JSON.parse(readFileSync(join(folder, "cases.json"), "utf8")) as Case[];
}

/** Replaces the name of each image by what `url` returns for its path in `folder`. */
function withUrls(
  messages: readonly RequestMessage[],
  folder: string,
  url = (path: string) => `data:;base64,${readFileSync(path).toString("base64")}`,
): RequestMessage[] {
  return messages.map(({ content, ...message }) => {
    if (!Array.isArray(content)) return { ...message, content };
    const parts = content.map((part) =>
      part.type === "image_url"
        ? { ...part, image_url: { url: url(join(folder, part.image_url.url)) } }
        : part,
    );
    return { ...message, content: parts };
  });
}

/** @returns messages that ask about an image */
function about(url: string, text = "What's in this image?"): RequestMessage[] {
  const content = [
    { type: "image_url" as const, image_url: { url } },
    { type: "text" as const, text },
  ];
  return [{ role: "user", content }];
}

function post(
  url: string,
  body: unknown,
  init: RequestInit = {},
  path = "/v1/chat/completions",
): Promise<Response> {
  const headers = { "content-type": "application/json", ...init.headers };
  return fetch(url + path, { method: "POST", body: JSON.stringify(body), ...init, headers });
}

/** @returns status and error of a response that failed */
async function failure(response: Response): Promise<{ status: number } & ErrorBody["error"]> {
  return { status: response.status, ...((await response.json()) as ErrorBody).error };
}

const LONG = {
  messages: [{ role: "user", content: "Hello!" }],
  ignore_eos: true,
  stream: true,
  max_tokens: 1500,
};

let command: string;
let images: Server;
let imagesUrl: string;
beforeAll(async () => {
  command = await shared("command");
  images = createServer((request, response) => {
    const path = join(SAMPLE, basename(new URL(request.url ?? "/", "http://x").pathname));
    if (existsSync(path)) response.end(readFileSync(path));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => images.listen(0, "127.0.0.1", resolve));
  imagesUrl = `http://127.0.0.1:${(images.address() as AddressInfo).port}`;
});
afterAll(() => void images.close());

describe("webvlm serve", () => {
  let url: string;
  beforeAll(async () => {
    url = await sharedServe();
  });

  test("says when it is ready", async () => {
    expect(await shared("serve")).toBe(`ready: ${url}/v1 answers as "sample"`);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  test("answers under SGLang's paths too", async () => {
    const info = await (await fetch(`${url}/get_model_info`)).json();
    expect(info).toMatchObject({ id: "sample", is_generation: true });
    expect(await (await fetch(`${url}/model_info`)).json()).toEqual(info);
    const tokenized = await post(url, { prompt: "a red circle" }, {}, "/tokenize");
    const { tokens } = (await tokenized.json()) as { tokens: number[] };
    const detokenized = await post(url, { tokens }, {}, "/detokenize");
    expect(JSON.stringify(await detokenized.json())).toContain("a red circle");
    expect((await post(url, {}, {}, "/flush_cache")).status).toBe(200);
  });

  // The browser's tests ask all of them.
  const someCases = readCases(SAMPLE).filter((_, i) => i % 4 === 0);
  test.each(someCases.map((golden, i) => [4 * i, golden] as const))(
    "sample case %i is answered as in the browser",
    async (_, golden) => {
      const messages = withUrls(
        golden.messages,
        SAMPLE,
        (path) => `${imagesUrl}/${basename(path)}`,
      );
      const request = { messages, temperature: 0, return_token_ids: true };
      const response = await post(url, request);
      const { choices, prompt_token_ids } = (await response.json()) as ChatCompletion;
      expect(prompt_token_ids).toEqual(golden.input_ids);
      expect(choices[0]?.token_ids).toEqual(golden.output_ids);
      expect(choices[0]?.message.content?.trim()).toBe(golden.text);
    },
  );

  test("the openai package gets answers, streams and errors", async () => {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
    const { completions } = client.chat;
    const request = {
      model: "default",
      temperature: 0,
      messages: about(`${imagesUrl}/red-circle.png`) as OpenAI.ChatCompletionMessageParam[],
    };
    const whole = await completions.create(request);
    expect(whole.choices[0]?.message.content?.trim()).toBe("A red circle.");
    let text = "";
    for await (const { choices } of await completions.create({ ...request, stream: true })) {
      text += choices[0]?.delta.content ?? "";
    }
    expect(text.trim()).toBe("A red circle.");
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["sample"]);
    await expect(completions.create({ ...request, model: "gpt-9" })).rejects.toMatchObject({
      status: 404,
      code: "model_not_found",
    });
  });

  test.each([
    ["that is not there", () => `${imagesUrl}/nothing.png`, /the server answered 404/],
    ["whose server is not there", () => "http://127.0.0.1:1/x.png", /ECONNREFUSED.*data: URL/],
    [
      "in a file",
      () => "file:///etc/passwd",
      /file: URLs are not supported; send a data: URL instead/,
    ],
    ["in the local network", () => "http://10.1.2.3/x.png", /--allow-private-images/],
    ["that is no URL", () => "images/x.png", /neither a URL nor base64/],
  ])("an image %s is refused by name", async (_, imageUrl, message) => {
    expect(await failure(await post(url, { messages: about(imageUrl()) }))).toEqual({
      status: 400,
      message: expect.stringMatching(message),
      type: "invalid_request_error",
      param: "messages[0].content[0].image_url.url",
      code: "failed_to_download_image",
    });
  });

  test("a file that is no image is refused", async () => {
    const refused = await failure(await post(url, { messages: about(`${imagesUrl}/cases.json`) }));
    expect(refused).toMatchObject({ status: 400, code: "image_parse_error" });
  });

  /** Expects the right answer to one more request. */
  async function expectAnswer(): Promise<void> {
    const body = { messages: about(`${imagesUrl}/red-circle.png`), temperature: 0 };
    const { choices } = (await (await post(url, body)).json()) as ChatCompletion;
    expect(choices[0]?.message.content?.trim()).toBe("A red circle.");
  }

  test("1,000 malformed requests are refused, and the next one is answered", async () => {
    const { port } = new URL(url);
    const statuses = new Map<string, number>();
    const requests = malformedRequests(1000);
    expect(requests.length).toBe(1000);
    const send = async (bytes: Buffer): Promise<void> => {
      const answer = await sendRaw(Number(port), bytes);
      // A request that ends too early gets a refusal, or the connection is closed.
      const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? "closed";
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (!/^(4\d\d|closed)$/.test(status)) throw new Error(`${bytes.subarray(0, 400)}\n${answer}`);
    };
    for (let i = 0; i < requests.length; i += 20) {
      await Promise.all(requests.slice(i, i + 20).map(send));
    }
    for (const status of ["400", "404", "405"]) expect(statuses.get(status)).toBeGreaterThan(10);
    await expectAnswer();
  });

  test("60 aborted streams leave nothing behind, and the next request is answered", async () => {
    const leave = async (i: number): Promise<void> => {
      const client = new AbortController();
      const { signal } = client;
      // Half of them leave before the first event: in the queue, or during prefill.
      if (i % 2 === 0) setTimeout(() => client.abort(), i % 20);
      try {
        const response = await post(url, LONG, { signal });
        const reader = (response.body as ReadableStream<Uint8Array>).getReader();
        await reader.read();
        client.abort();
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    };
    for (let i = 0; i < 60; i += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, j) => leave(i + j)));
    }
    await expectAnswer();
  });

  test("20 streams at once get their headers before clients give up, and say what they wait for", async () => {
    const body = { ...LONG, max_tokens: 12, stream_options: { include_progress: true } };
    const positions = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const client = new AbortController();
        const givesUp = setTimeout(() => client.abort(), 2000);
        const response = await post(url, body, { signal: client.signal });
        clearTimeout(givesUp);
        const events = (await response.text()).split("\n\n");
        expect(events.at(-2)).toBe("data: [DONE]");
        const chunks = events.filter((event) => event.startsWith("data: {"));
        const progress = chunks.map(
          (event) => (JSON.parse(event.slice(6)) as ChatCompletionChunk).progress,
        );
        expect(progress).toContainEqual(expect.objectContaining({ stage: "prompt" }));
        return progress.flatMap((one) => (one?.stage === "queue" ? one.position : []));
      }),
    );
    // Eight run at once.
    expect(Math.max(...positions.flat())).toBeGreaterThanOrEqual(11);
  });
});

describe("webvlm serve that can't start", () => {
  test("says at once that its port is taken", async () => {
    const { port } = new URL(imagesUrl);
    await expect(startServe(command, ["--port", port])).rejects.toThrow(
      new RegExp(`ended with 1: webvlm: Port ${port} of 127.0.0.1 is taken`),
    );
  });

  test("exits when its model does not exist", async () => {
    const serving = await startServe(command, ["--model", "./no/such/folder"]);
    const { code, stderr } = await serving.finished;
    expect([code, stderr]).toEqual([1, expect.stringContaining("does not exist")]);
  });

  test("exits with 0 at a signal while it loads", async () => {
    const serving = await startServe(command);
    serving.signal("SIGTERM");
    expect((await serving.finished).code).toBe(0);
  });

  test("says without a driver which files it searched", async () => {
    const serving = await startServe(command, [], { VK_ICD_FILENAMES: "/nowhere/icd.json" });
    const { code, stderr } = await serving.finished;
    expect(code).toBe(1);
    expect(stderr).toMatch(/No GPU was found\. Searched for .*\/nowhere\/icd\.json.*Install/);
  });
});

/*
 * The engine is the same in the browser, where the tests of goldens ask every family; here Node decodes the
 * images and runs Dawn.
 */

/** Starts a server of a family of the goldens. */
function startGolden(
  family: string,
  options: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Serving> {
  const f32 = ["--quantization", "f32", "--context-length", "1024"];
  return startServe(command, [join(ROOT, UNPACKED, family), ...f32, ...options], env);
}

async function expectGoldens(
  family: string,
  url: string,
  headers: Record<string, string> = {},
): Promise<void> {
  const cases = readCases(join(ROOT, UNPACKED, family));
  for (const { name, messages, max_tokens, input_ids, output_ids } of cases) {
    const asked = { messages: withUrls(messages, GOLDENS), max_tokens };
    const request = { ...asked, temperature: 0, return_token_ids: true };
    const answer = (await (await post(url, request, { headers })).json()) as ChatCompletion;
    expect(answer.prompt_token_ids, name).toEqual(input_ids);
    expect(answer.choices[0]?.token_ids, name).toEqual(output_ids);
  }
}

describe("webvlm serve of a model with tiles", () => {
  let serving: Serving;
  /** The response to a request before the model is loaded. */
  let early: Response;
  beforeAll(async () => {
    serving = await startGolden("smolvlm-tiles", ["--strict-max-tokens"]);
    early = await fetch(`${serving.url}/health`);
    await serving.ready;
  });
  afterAll(() => serving.kill());

  test("answers 503 while it loads, and then 200", async () => {
    expect(await failure(early)).toMatchObject({ status: 503, code: "model_loading" });
    expect(early.headers.get("retry-after")).not.toBeNull();
    for (const path of ["/health", "/v1/health"]) {
      expect((await fetch(serving.url + path)).status).toBe(200);
    }
  });

  test("answers the goldens of smolvlm-tiles as the reference did", () =>
    expectGoldens("smolvlm-tiles", serving.url));

  test("refuses a max_tokens that does not fit, if asked to", async () => {
    const refused = await failure(await post(serving.url, { ...LONG, max_tokens: 1e6 }));
    expect(refused).toMatchObject({ status: 400, code: "context_length_exceeded" });
  });

  test("SIGINT finishes the running answer, takes no new request, and exits with 0", async () => {
    const response = await post(serving.url, { ...LONG, max_tokens: 40 });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    let text = decoder.decode((await reader.read()).value);
    serving.signal("SIGINT");
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      text += decoder.decode(read.value);
    }
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
    expect(text.match(/"finish_reason":"length"/g)).toHaveLength(1);
    expect((await serving.finished).code).toBe(0);
    await expect(fetch(`${serving.url}/health`)).rejects.toThrow();
  });
});

describe("webvlm serve of a model with M-RoPE and DeepStack, for others", () => {
  const key = { authorization: "Bearer sesame" };
  const origin = "https://app.example";
  let serving: Serving;
  beforeAll(async () => {
    const options = ["--host", "0.0.0.0", "--cors-origin", origin, "--max-body-size", "100k"];
    serving = await startGolden("qwen3_vl", options, { WEBVLM_API_KEY: "sesame" });
    await serving.ready;
  });
  afterAll(() => serving.kill());

  test("answers the goldens of qwen3_vl as the reference did", () =>
    expectGoldens("qwen3_vl", serving.url, key));

  test("requires its key", async () => {
    const body = { messages: [{ role: "user", content: "Hello!" }], max_tokens: 1 };
    const wrong: Record<string, string>[] = [{}, { authorization: "Bearer open" }];
    for (const headers of wrong) {
      const refused = await failure(await post(serving.url, body, { headers }));
      expect(refused).toMatchObject({ status: 401, code: "invalid_api_key" });
    }
    expect((await post(serving.url, body, { headers: key })).status).toBe(200);
    expect((await fetch(`${serving.url}/health`)).status).toBe(200);
  });

  test("answers pages of an allowed origin, streams too", async () => {
    const preflight = await fetch(`${serving.url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe(origin);
    const answer = await post(
      serving.url,
      { ...LONG, max_tokens: 3 },
      { headers: { ...key, origin } },
    );
    expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    expect(answer.headers.get("access-control-expose-headers")).toContain("retry-after");
    expect(await answer.text()).toContain("[DONE]");
  });

  test("refuses a body above the size limit", async () => {
    const messages = [{ role: "user", content: "x".repeat(100 * 1024) }];
    const refused = await failure(await post(serving.url, { messages }, { headers: key }));
    expect(refused).toMatchObject({ status: 413, type: "invalid_request_error" });
  });

  test("fetches no images from this machine", async () => {
    const messages = about(`${imagesUrl}/red-circle.png`);
    const refused = await failure(await post(serving.url, { messages }, { headers: key }));
    expect(refused).toMatchObject({ status: 400, code: "failed_to_download_image" });
    expect(refused.message).toContain("--allow-private-images");
  });

  test("a second signal ends it at once", async () => {
    const { body } = await post(serving.url, LONG, { headers: key });
    await (body as ReadableStream<Uint8Array>).getReader().read();
    serving.signal("SIGTERM");
    await expect
      .poll(() =>
        fetch(`${serving.url}/health`).then(
          () => "up",
          () => "down",
        ),
      )
      .toBe("down");
    serving.signal("SIGINT");
    expect(await serving.finished).toMatchObject({ code: null, signal: "SIGINT" });
  });
});

test("webvlm serve of a model with cross-attention answers the goldens of mllama as the reference did", async () => {
  const serving = await startGolden("mllama");
  try {
    await serving.ready;
    await expectGoldens("mllama", serving.url);
  } finally {
    await serving.kill();
  }
});

/** Sends raw bytes. Resolves to everything received until the connection ends. */
function sendRaw(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.end(bytes));
    socket.on("data", (data) => (answer += data));
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
  });
}
