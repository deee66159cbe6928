import * as comlink from "comlink";
import { loadInWorker } from "../../src/worker/load-in-worker.ts";
import type { BenchWorker, Counts } from "./worker.ts";
import Worker from "./worker.ts?worker";

/** Measurements of one start. */
export interface LoadResult extends Counts {
  /** Milliseconds of each stage. */
  readonly stages: Readonly<Record<string, number>>;
}

/** Loads a model in a new worker, as a page does, and waits until it is stored. */
export async function measureLoad(name: string, hub: string): Promise<LoadResult> {
  const stages: Record<string, number> = {};
  let stage = "files";
  let begin = performance.now();
  const enter = (next: string) => {
    const now = performance.now();
    stages[stage] = (stages[stage] ?? 0) + now - begin;
    [stage, begin] = [next, now];
  };
  const worker = new Worker();
  const bench = comlink.wrap<BenchWorker>(worker);
  const { port1, port2 } = new MessageChannel();
  await bench.serve(comlink.transfer(port2, [port2]));
  const endpoint = Object.assign(port1, { terminate() {} });
  const model = await loadInWorker(endpoint, name, { base: location.href, hub }, (progress) => {
    const { loadedBytes, totalBytes } = progress;
    const isRead = progress.stage === "weights" && loadedBytes === totalBytes;
    // What is left is waiting for the GPU and for kernels that compile.
    const next = isRead ? "kernels" : progress.stage;
    if (next !== stage) enter(next);
  });
  enter("store");
  const counts = await bench.counts();
  enter("end");
  model.dispose();
  worker.terminate();
  return { ...counts, stages };
}

/** @returns how fast a new worker reads these entries and does nothing else, in bytes per ms */
export async function measureStore(keys: readonly string[]): Promise<number> {
  const worker = new Worker();
  try {
    return await comlink.wrap<BenchWorker>(worker).readStore(keys);
  } finally {
    worker.terminate();
  }
}
