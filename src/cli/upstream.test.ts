import { type RequestListener, type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ScriptedGenerator, scriptedModel } from "../../tests/chat-support.ts";
import { withUpstream } from "../net/upstream/with-upstream.ts";
import { createHandler } from "../openai/handler.ts";
import { fetchWithoutTimeout } from "./fetch-without-timeout.ts";
import { createHttpServer } from "./http-server.ts";

/** A client, a server, and its upstream server, connected as in `webvlm serve --upstream`. */
const EOS = 1023;
const tokenizer = scriptedModel(new ScriptedGenerator()).tokenizer;
const script = [...tokenizer.encode("A red circle.", { addSpecialTokens: false }), EOS];

let here: ScriptedGenerator;
let there: ScriptedGenerator;
const servers: Server[] = [];
let theirs: string;
let ours: string;

const handlerOf = (id: string, generator: () => ScriptedGenerator) => {
  const chat = scriptedModel({
    contextLength: 2048,
    generate: (input) => generator().generate(input),
  });
  const served = { id, created: 0, fingerprint: "fp", chat };
  return createHandler({ model: () => served });
};

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

const OPTIONS = { corsOrigins: ["*"], maxBodyBytes: 1e6, host: "127.0.0.1" };

/** @returns the address of a server whose upstream is `url` with a key */
function before(url: string): Promise<string> {
  const local = { id: "here", fetch: handlerOf("here", () => here) };
  const upstream = { url, apiKey: "sesame" };
  return listen(
    createHttpServer(withUpstream(local, upstream, { fetch: fetchWithoutTimeout }), OPTIONS),
  );
}

beforeAll(async () => {
  const handler = handlerOf("org/there", () => there);
  theirs = await listen(createHttpServer(handler, { ...OPTIONS, apiKey: "sesame" }));
  ours = await before(theirs);
});
afterAll(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});
beforeEach(() => {
  here = new ScriptedGenerator(script);
  there = new ScriptedGenerator(script);
});

const clientOf = (baseURL: string, apiKey = "none") =>
  new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Hello" }];
const body = { model: "org/there", messages };

test("the model that a request names answers", async () => {
  const client = clientOf(ours);
  const answer = await client.chat.completions.create(body);
  expect([answer.model, answer.choices[0]?.message.content]).toEqual([
    "org/there",
    "A red circle.",
  ]);
  expect(answer._request_id).toMatch(/^req_/);
  expect([here.inputs.length, there.inputs.length]).toEqual([0, 1]);
  expect((await client.chat.completions.create({ ...body, model: "default" })).model).toBe("here");
  expect([here.inputs.length, there.inputs.length]).toEqual([1, 1]);
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["here", "org/there"]);
  expect((await client.models.retrieve("org/there")).id).toBe("org/there");
});

test("a stream arrives event by event", async () => {
  there.stalls = true;
  there.ids = script.slice(0, 3);
  const left = new AbortController();
  const { signal } = left;
  const stream = await clientOf(ours).chat.completions.create(
    { ...body, stream: true },
    { signal },
  );
  let text = "";
  // The upstream still writes, and its first events have arrived.
  for await (const { choices } of stream) {
    text += choices[0]?.delta.content ?? "";
    if (text.length >= 5) break;
  }
  expect("A red circle.".startsWith(text)).toBe(true);
  await expect.poll(() => there.ended).toBe(1);
});

describe("a disconnecting client stops the upstream's model", () => {
  beforeEach(() => {
    there.stalls = true;
    there.ids = script.slice(0, 2);
  });

  test.each([false, true])("stream: %s", async (stream) => {
    const left = new AbortController();
    const answer = fetch(`${ours}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...body, stream }),
      signal: left.signal,
    });
    answer.catch(() => {});
    await expect.poll(() => there.given).toBe(2);
    expect(there.ended).toBe(0);
    left.abort();
    await expect.poll(() => there.ended).toBe(1);
  });
});

describe("errors arrive byte for byte", () => {
  const ask = async (url: string, path: string, init: RequestInit = {}) => {
    const headers = { "content-type": "application/json", authorization: "Bearer sesame" };
    const response = await fetch(url + path, { ...init, headers: { ...headers, ...init.headers } });
    const names = ["content-type", "x-should-retry", "retry-after", "allow"];
    const kept = names.map((name) => response.headers.get(name));
    return { status: response.status, kept, text: await response.text() };
  };
  const post = (json: object) => ({ method: "POST", body: JSON.stringify(json) });

  test.each([
    ["a wrong value", "/chat/completions", post({ ...body, temperature: 9 })],
    ["no messages", "/chat/completions", post({ model: "org/there" })],
    ["another path", "/embeddings", post({ model: "org/there" })],
    ["a response that is not there", "/responses/resp_none", {}],
    ["a response to delete that is not there", "/responses/resp_none", { method: "DELETE" }],
  ])("%s", async (_, path, init) => {
    const expected = await ask(theirs, path, init);
    expect(expected.status).toBeGreaterThanOrEqual(400);
    expect(await ask(ours, path, init)).toEqual(expected);
  });

  test("a wrong key of the server, not of the client", async () => {
    const wrong = await listen(
      createHttpServer(
        withUpstream(undefined, { url: theirs, apiKey: "open" }, { fetch: fetchWithoutTimeout }),
        OPTIONS,
      ),
    );
    const expected = await ask(theirs, "/chat/completions", {
      ...post(body),
      headers: { authorization: "Bearer open" },
    });
    expect(expected.status).toBe(401);
    expect(await ask(wrong, "/chat/completions", post(body))).toEqual(expected);
  });
});

test("a stored response is read, continued and deleted on the side that made it", async () => {
  const { responses } = clientOf(ours);
  for (const model of ["org/there", "here"]) {
    const made = await responses.create({ model, input: "Hello" });
    expect((await responses.retrieve(made.id)).model).toBe(model);
    const next = await responses.create({ model, input: "And?", previous_response_id: made.id });
    expect(next.previous_response_id).toBe(made.id);
    const items = await responses.inputItems.list(next.id);
    expect(items.data).toHaveLength(3);
    await responses.delete(made.id);
    await expect(responses.retrieve(made.id)).rejects.toMatchObject({ status: 404 });
  }
});

test("each model has its own tokenizer", async () => {
  const ask = (model: string) =>
    fetch(`${ours}/tokenize`, {
      method: "POST",
      body: JSON.stringify({ model, prompt: "a red circle" }),
    });
  const there = await (await ask("org/there")).json();
  expect(await (await ask("here")).json()).toEqual(there);
  expect((await ask("org/there")).status).toBe(200);
});

describe("an upstream that", () => {
  const answering = (listener: RequestListener) => listen(createServer(listener)).then(before);
  const ask = (url: string, stream = false) =>
    clientOf(url).chat.completions.create({ ...body, stream });

  test("is unreachable is reported", async () => {
    const failed = ask(await before("http://127.0.0.1:2/v1"));
    await expect(failed).rejects.toMatchObject({
      status: 502,
      code: "upstream_unreachable",
      message: expect.stringMatching(
        /127\.0\.0\.1:2\/v1 can't be reached: .*ECONNREFUSED.*Start it/,
      ),
    });
  });

  test("hangs up before it answers is reported", async () => {
    const failed = ask(await answering((request) => request.socket.destroy()));
    await expect(failed).rejects.toMatchObject({ status: 502, code: "upstream_unreachable" });
  });

  test("fails in mid-stream makes the answer fail, not end", async () => {
    const url = await answering((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write('data: {"choices":[{"delta":{"content":"A"}}]}\n\n', () =>
        setTimeout(() => response.destroy(), 50),
      );
    });
    const read = async () => {
      const seen = [];
      for await (const chunk of (await ask(url, true)) as AsyncIterable<unknown>) seen.push(chunk);
      return seen;
    };
    await expect(read()).rejects.toThrow();
  });

  test("cuts off an answer makes ours fail", async () => {
    const url = await answering((_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
      response.write('{"id":', () => response.destroy());
    });
    await expect(ask(url)).rejects.toThrow();
  });

  test("compresses without being asked is understood", async () => {
    const { gzipSync } = await import("node:zlib");
    const answer = JSON.stringify({ choices: [{ message: { content: "größer" } }] });
    const url = await answering((_, response) => {
      const headers = { "content-type": "application/json", "content-encoding": "gzip" };
      response.writeHead(200, headers).end(gzipSync(answer));
    });
    const { choices } = (await ask(url)) as OpenAI.ChatCompletion;
    expect(choices[0]?.message.content).toBe("größer");
  });
});
