import * as comlink from "comlink";
import type { Place, StoreSpeed, StoreWorker } from "./worker.ts";
import Worker from "./worker.ts?worker";

/** Measures a store in a new worker. */
export async function measureStore(
  place: Place,
  chunkBytes: number,
  totalBytes: number,
): Promise<StoreSpeed> {
  const worker = new Worker();
  try {
    return await comlink.wrap<StoreWorker>(worker).measure(place, chunkBytes, totalBytes);
  } finally {
    worker.terminate();
  }
}
