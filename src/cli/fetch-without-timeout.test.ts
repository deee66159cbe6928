import { type RequestListener, type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { fetchWithoutTimeout } from "./fetch-without-timeout.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function start(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("sends method, path, headers and bytes", async () => {
  const url = await start((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const { method, url, headers } = request;
      const body = Buffer.concat(parts).toString("base64");
      response.end(JSON.stringify({ method, url, own: headers["x-own"], body, headers }));
    });
  });
  const body = Uint8Array.from([0, 255, 10, 13]);
  const headers = { "x-own": "1", "content-type": "application/octet-stream" };
  const posted = await fetchWithoutTimeout(`${url}/v1/x?y=%2F`, { method: "POST", headers, body });
  expect(await posted.json()).toMatchObject({
    ...{ method: "POST", url: "/v1/x?y=%2F", own: "1", body: Buffer.from(body).toString("base64") },
    headers: { "content-length": "4", "accept-encoding": "identity" },
  });
  const got = (await (await fetchWithoutTimeout(`${url}/v1/x`)).json()) as { headers: object };
  expect(got).toMatchObject({ method: "GET", body: "" });
  expect(got.headers).not.toHaveProperty("content-length");
});

test.each([200, 204, 301, 304, 404, 429, 500])("returns a %i unchanged", async (status) => {
  const url = await start((_, response) => {
    response.writeHead(status, "Own Words", { location: "/else", "x-own": ["1", "2"] });
    response.end(status === 204 || status === 304 ? undefined : "body");
  });
  const response = await fetchWithoutTimeout(url);
  expect([response.status, response.statusText]).toEqual([status, "Own Words"]);
  expect(response.headers.get("x-own")).toBe("1, 2");
  expect(await response.text()).toBe(status === 204 || status === 304 ? "" : "body");
});

test.each([
  ["gzip", gzipSync],
  ["deflate", deflateSync],
  ["br", brotliCompressSync],
])("decodes %s, which it did not ask for", async (encoding, encode) => {
  const url = await start((_, response) => {
    response.writeHead(200, { "content-encoding": encoding }).end(encode("größer"));
  });
  expect(await (await fetchWithoutTimeout(url)).text()).toBe("größer");
});

test("returns a stream as it arrives", async () => {
  let more = (): void => {};
  const url = await start((_, response) => {
    response.write("data: 1\n\n");
    more = () => response.end("data: 2\n\n");
  });
  const { body } = await fetchWithoutTimeout(url);
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  const read = async () => new TextDecoder().decode((await reader.read()).value);
  expect(await read()).toBe("data: 1\n\n");
  more();
  expect(await read()).toBe("data: 2\n\n");
  expect((await reader.read()).done).toBe(true);
});

test("a broken stream fails", async () => {
  const url = await start((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: 1\n\n", () => response.socket?.destroy());
  });
  await expect((await fetchWithoutTimeout(url)).text()).rejects.toThrow();
});

test("an unreachable server is reported", async () => {
  await expect(fetchWithoutTimeout("http://127.0.0.1:2/")).rejects.toMatchObject({
    cause: { code: "ECONNREFUSED" },
  });
});

describe("an abort closes the connection", () => {
  async function slow(first?: string) {
    const closed = vi.fn();
    const begun = vi.fn();
    const url = await start((_, response) => {
      response.on("close", closed);
      if (first) response.write(first);
      begun();
    });
    return { url, closed, begun };
  }

  test("before the answer", async () => {
    const { url, closed, begun } = await slow();
    const client = new AbortController();
    const left = fetchWithoutTimeout(url, { signal: client.signal });
    await vi.waitFor(() => expect(begun).toHaveBeenCalled());
    client.abort();
    await expect(left).rejects.toMatchObject({ name: "AbortError" });
    await vi.waitFor(() => expect(closed).toHaveBeenCalled());
  });

  test("in the middle of the answer", async () => {
    const { url, closed } = await slow("data: 1\n\n");
    const client = new AbortController();
    const { body } = await fetchWithoutTimeout(url, { signal: client.signal });
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    client.abort();
    await expect(reader.read()).rejects.toThrow();
    await vi.waitFor(() => expect(closed).toHaveBeenCalled());
  });

  test("when the body is cancelled", async () => {
    const { url, closed } = await slow("data: 1\n\n");
    const { body } = await fetchWithoutTimeout(url);
    await body?.cancel();
    await vi.waitFor(() => expect(closed).toHaveBeenCalled());
  });

  test("before the request begins", async () => {
    const { url, begun } = await slow();
    await expect(fetchWithoutTimeout(url, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(begun).not.toHaveBeenCalled();
  });
});
