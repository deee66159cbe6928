import * as comlink from "comlink";
import type { OpenOptions } from "../weights/checkpoint.ts";
import type { HashService } from "./hash-service.ts";

/** What a worker beside the model's does while it loads. */
export type FileOptions = Required<Pick<OpenOptions, "hash">> & Pick<OpenOptions, "findShared">;

/**
 * Computes hashes in another worker, so that loading goes on meanwhile. Two pieces at a time are on their
 * way to it. Where the browser lets sites share files, it finds them, and writes what it hashes for others.
 *
 * @param connect called once, when it is needed; what it throws, the functions throw
 */
export function remoteHashes(connect: () => Promise<comlink.Endpoint>): FileOptions {
  let service: Promise<comlink.Remote<HashService>> | undefined;
  const connected = () => (service ??= connect().then((port) => comlink.wrap<HashService>(port)));
  const sharing = "crossOriginStorage" in ((globalThis.navigator as object | undefined) ?? {});
  let count = 0;
  return {
    hash(share) {
      const id = count++;
      const begun = connected().then((service) => service.begin(id, sharing ? share : undefined));
      begun.catch(() => {}); // Thrown when it is awaited.
      let last = begun;
      return {
        async update(bytes) {
          const hashed = begun.then(connected).then((service) => service.update(id, bytes));
          hashed.catch(() => {});
          await last;
          last = hashed;
        },
        async digest() {
          await last;
          return (await connected()).digest(id);
        },
      };
    },
    findShared: sharing ? async (sha256) => (await connected()).findShared(sha256) : undefined,
  };
}
