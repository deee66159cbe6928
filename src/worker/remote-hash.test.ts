import * as comlink from "comlink";
import { afterEach, expect, test } from "vitest";
import { random } from "../../tests/support.ts";
import { nodeHash } from "../platform/node-hash.ts";
import { exposeHashes } from "./hash-service.ts";
import { remoteHashes } from "./remote-hash.ts";

const ports: MessagePort[] = [];
afterEach(() => ports.splice(0).forEach((port) => port.close()));

/** @returns the near end of a channel; the far end is passed to `expose` */
function connect(expose: (port: MessagePort) => void): MessagePort {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  expose(port2);
  return port1;
}

test("two files at a time have the hashes that Node computes, over one connection", async () => {
  let connections = 0;
  const { hash: open } = remoteHashes(async () => {
    connections++;
    return connect(exposeHashes);
  });
  const files = [1, 2].map((seed) => new Uint8Array(random(5000, seed).buffer as ArrayBuffer));
  const hashes = files.map(() => ({ remote: open(), own: nodeHash() }));
  for (let begin = 0; begin < 20_000; begin += 777) {
    for (const [i, { remote, own }] of hashes.entries()) {
      const piece = files[i]!.subarray(begin, begin + 777);
      await remote.update(piece);
      await own.update(piece);
    }
  }
  for (const { remote, own } of hashes) expect(await remote.digest()).toBe(await own.digest());
  expect(await open().digest()).toBe(await nodeHash().digest());
  expect(connections).toBe(1);
});

test("passes two pieces on and waits for the first before it takes a third", async () => {
  const done: (() => void)[] = [];
  const update = () => new Promise<void>((resolve) => done.push(resolve));
  const fake = { begin() {}, update };
  const hash = remoteHashes(async () => connect((port) => comlink.expose(fake, port))).hash();
  const taken: number[] = [];
  const piece = new Uint8Array(8);
  const feeding = (async () => {
    for (let i = 1; i <= 3; i++) {
      await hash.update(piece);
      taken.push(i);
    }
  })();
  await expect.poll(() => done.length).toBe(2);
  expect(taken).toEqual([1]);
  done[0]?.();
  await expect.poll(() => done.length).toBe(3);
  expect(taken).toEqual([1, 2]);
  done[1]?.();
  await feeding;
});

test("a worker that can't be started fails the load", async () => {
  const { hash: open } = remoteHashes(() => Promise.reject(new Error("no worker")));
  await expect(open().update(new Uint8Array(1))).rejects.toThrow("no worker");
  await expect(open().digest()).rejects.toThrow("no worker");
});
