import * as comlink from "comlink";
import type { Hash } from "../platform/platform.ts";
import type { HashService } from "./hash-service.ts";

/**
 * Computes hashes in another worker, so that loading goes on meanwhile. Two pieces at a time are on their
 * way to it.
 *
 * @param connect called once, for the first hash; what it throws, the hash's functions throw
 */
export function remoteHashes(connect: () => Promise<comlink.Endpoint>): () => Hash {
  let service: Promise<comlink.Remote<HashService>> | undefined;
  let count = 0;
  return () => {
    const id = count++;
    let last: Promise<void> = Promise.resolve();
    const connected = (service ??= connect().then((port) => comlink.wrap<HashService>(port)));
    return {
      async update(bytes) {
        const hashed = (await connected).update(id, bytes);
        hashed.catch(() => {}); // Thrown when it is awaited.
        await last;
        last = hashed;
      },
      async digest() {
        await last;
        return (await connected).digest(id);
      },
    };
  };
}
