import { type RequestListener, type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type AllowedAddresses, type Resolve, imageFetch } from "./fetch-image.ts";

const BEYOND: AllowedAddresses = { loopback: false, all: false };
const LOCAL: AllowedAddresses = { loopback: true, all: false };
const ALL: AllowedAddresses = { loopback: true, all: true };

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** @returns the port of a server on this machine, and the requests that it gets */
async function start(
  answer: RequestListener = (_, response) => response.end("an image"),
): Promise<{ port: number; asked: ReturnType<typeof vi.fn> }> {
  const asked = vi.fn();
  const server = createServer((request, response) => {
    asked(request.url);
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, asked };
}

/** @returns a resolver: its first call returns the first address, and so on */
function names(...answers: (readonly string[])[]): Resolve & { asked: () => number } {
  let asked = 0;
  const resolve: Resolve = (_, __, callback) => {
    const addresses = answers[Math.min(asked++, answers.length - 1)] as string[];
    const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    process.nextTick(() => callback(null, found));
  };
  return Object.assign(resolve, { asked: () => asked });
}

describe("an address", () => {
  test.each([
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "2130706433", // 127.0.0.1
    "0x7f.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254", // where clouds tell secrets
    "100.64.0.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[fe80::1]",
    "[fc00::1]",
    "[64:ff9b::7f00:1]",
  ])("%s is refused", async (host) => {
    const { port, asked } = await start();
    const refused = imageFetch(BEYOND)(`http://${host}:${port}/x`);
    await expect(refused).rejects.toThrow(
      /not a public address.*data: URL.*--allow-private-images/,
    );
    expect(asked).not.toHaveBeenCalled();
  });

  test("of this machine is read if that is allowed, but no other private address", async () => {
    const { port, asked } = await start();
    const response = await imageFetch(LOCAL)(`http://127.0.0.1:${port}/x.png`);
    expect(await response.text()).toBe("an image");
    expect(asked).toHaveBeenCalledWith("/x.png");
    await expect(imageFetch(LOCAL)("http://10.0.0.1/")).rejects.toThrow("not a public address");
  });
});

describe("a host name", () => {
  test("is rejected if it resolves to a private address", async () => {
    const { port, asked } = await start();
    const url = `http://images.example:${port}/x`;
    for (const addresses of [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"]]) {
      await expect(imageFetch(BEYOND, names(addresses))(url)).rejects.toThrow(
        /images.example \(.*127.0.0.1\) is not a public address/,
      );
    }
    expect(asked).not.toHaveBeenCalled();
  });

  test("is connected to at the checked address, even if it resolves to another one next", async () => {
    const { port, asked } = await start();
    const resolve = names(["127.0.0.1"], ["10.0.0.1"]);
    const response = await imageFetch(LOCAL, resolve)(`http://images.example:${port}/x`);
    expect(await response.text()).toBe("an image");
    expect([resolve.asked(), asked.mock.calls.length]).toEqual([1, 1]);
  });

  test("that does not resolve is reported", async () => {
    const unknown: Resolve = (_, __, callback) =>
      callback(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" }), []);
    await expect(imageFetch(ALL, unknown)("http://nosuch.example/")).rejects.toThrow(
      "the host nosuch.example was not found; check its url",
    );
  });
});

describe("a redirect", () => {
  const redirect = (location: string): RequestListener => {
    return (_, response) => void response.writeHead(302, { location }).end();
  };

  test("is followed, relative to its own URL", async () => {
    const { port } = await start((request, response) =>
      request.url === "/a/b"
        ? redirect("../c")(request, response)
        : response.setHeader("content-type", "image/png").end(request.url),
    );
    const response = await imageFetch(LOCAL)(`http://127.0.0.1:${port}/a/b`);
    expect(await response.text()).toBe("/c");
    expect(response.headers.get("content-type")).toBe("image/png");
  });

  test("to a private address is rejected", async () => {
    const { port } = await start(redirect("http://169.254.169.254/secret"));
    await expect(imageFetch(LOCAL)(`http://127.0.0.1:${port}/`)).rejects.toThrow(
      "169.254.169.254 is not a public address",
    );
  });

  test("to a name that resolves to one is rejected", async () => {
    const { port } = await start(redirect("http://inner.example/"));
    const resolve = names(["192.168.0.1"]);
    await expect(imageFetch(LOCAL, resolve)(`http://127.0.0.1:${port}/`)).rejects.toThrow(
      "inner.example (192.168.0.1) is not a public address",
    );
  });

  test("to a file is rejected", async () => {
    const { port } = await start(redirect("file:///etc/passwd"));
    await expect(imageFetch(ALL)(`http://127.0.0.1:${port}/`)).rejects.toThrow("file: URL");
  });

  test("in an endless loop is rejected", async () => {
    const { port, asked } = await start(redirect("/"));
    await expect(imageFetch(ALL)(`http://127.0.0.1:${port}/`)).rejects.toThrow("too often");
    expect(asked).toHaveBeenCalledTimes(6);
  });
});

test("statuses are passed on", async () => {
  const { port } = await start((_, response) => void response.writeHead(404).end());
  expect((await imageFetch(ALL)(`http://127.0.0.1:${port}/`)).status).toBe(404);
});

test("an unreachable server is reported, with advice", async () => {
  const { port } = await start();
  for (const server of servers.splice(0)) await new Promise((closed) => server.close(closed));
  await expect(imageFetch(ALL)(`http://127.0.0.1:${port}/`)).rejects.toThrow(
    /ECONNREFUSED.*check its url, or send the image as a data: URL/,
  );
});

test("the signal aborts it, while it waits and while it reads", async () => {
  const { port } = await start((request, response) => {
    if (request.url === "/body") response.write("the beginning");
  });
  for (const path of ["/", "/body"]) {
    const client = new AbortController();
    const reading = imageFetch(ALL)(`http://127.0.0.1:${port}${path}`, { signal: client.signal });
    const whole = reading.then((response) => response.text());
    setTimeout(() => client.abort(new Error("enough")), 50);
    await expect(whole).rejects.toThrow();
  }
});

describe("a server", () => {
  test("is told which client asks", async () => {
    const seen: (string | undefined)[] = [];
    const { port } = await start(({ headers }, response) => {
      seen.push(headers["user-agent"]);
      response.end("an image");
    });
    await imageFetch(LOCAL)(`http://127.0.0.1:${port}/a.png`);
    expect(seen[0]).toMatch(/^webvlm\/\d/);
  });

  test("may compress although it was asked not to", async () => {
    const { port } = await start((_, response) => {
      response.setHeader("content-encoding", "gzip");
      response.end(gzipSync("an image"));
    });
    const response = await imageFetch(LOCAL)(`http://127.0.0.1:${port}/a.png`);
    expect(await response.text()).toBe("an image");
  });

  test("with an unknown encoding is an error that names it", async () => {
    const { port } = await start((_, response) => {
      response.setHeader("content-encoding", "zstd");
      response.end("an image");
    });
    await expect(imageFetch(LOCAL)(`http://127.0.0.1:${port}/a.png`)).rejects.toThrow("zstd");
  });
});
