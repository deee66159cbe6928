import ModelWorker from "../worker/entry.ts?worker&inline";
import { PackedWorkerNeeded } from "../worker/packed-worker-needed.ts";

/**
 * Starts a worker for a model, and uses it. A quantized checkpoint turns out to be one only when it is
 * opened; it is then opened again in a worker that knows the packed formats. An inlined worker can't
 * import them.
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
    if (!PackedWorkerNeeded.is(error)) throw error;
    const { default: PackedWorker } = await import("../worker/packed-worker.ts?worker&inline");
    return use(new PackedWorker());
  }
}
