import ModelWorker from "../worker/entry.ts?worker&inline";
import { FullWorkerNeeded } from "../worker/full-worker-needed.ts";

/**
 * Starts a worker for a model, and uses it. Whether the checkpoint is quantized or of a rare family turns
 * out when it is opened; it is then opened again in a worker whose script knows everything. An inlined
 * worker can't import what it lacks.
 *
 * @param caller name of the function that needs it, for the error
 * @param use terminates the worker when it fails
 * @throws Error outside of a page; what `use` throws
 */
export async function withModelWorker<T>(
  caller: string,
  use: (worker: Worker) => Promise<T>,
): Promise<T> {
  if (typeof document === "undefined") {
    throw new Error(
      `${caller}: works in a page of a browser only. In Node, run the command "npx webvlm" instead.`,
    );
  }
  try {
    return await use(new ModelWorker());
  } catch (error) {
    if (!FullWorkerNeeded.is(error)) throw error;
    const { default: FullWorker } = await import("../worker/full-worker.ts?worker&inline");
    return use(new FullWorker());
  }
}
