import { browserPlatform } from "../../src/platform/browser.ts";
import { STORE } from "../../src/weights/cache.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { resolveSource } from "../../src/weights/source.ts";
import HashWorker from "../../src/worker/hash-worker.ts?worker";
import { remoteHashes } from "../../src/worker/remote-hash.ts";

export interface Downloaded {
  /** SHA-256 of the weights, in hexadecimal. */
  readonly hash: string;
  /** Bytes of weights that came over the network. */
  readonly networkBytes: number;
  /** Whether the store took all of them. */
  readonly stored: boolean;
}

/** Reads the weights of a model with one weight file, and stores them in small chunks, without a GPU. */
export async function download(name: string, hub: string, chunkBytes: number): Promise<Downloaded> {
  const worker = new HashWorker();
  try {
    const checkpoint = await openCheckpoint(resolveSource(name, { hub }), {
      store: browserPlatform.openStore(STORE),
      ...remoteHashes(async () => worker),
      chunkBytes,
    });
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let networkBytes = 0;
    for await (const { bytes, network } of checkpoint.stream()) {
      parts.push(bytes.slice());
      if (network) networkBytes += bytes.length;
    }
    const file = await new Blob(parts).arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", file));
    return {
      hash: Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join(""),
      networkBytes,
      stored: checkpoint.storing?.() === true,
    };
  } finally {
    worker.terminate();
  }
}
