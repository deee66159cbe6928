import ModelWorker from "../worker/entry.ts?worker&inline";

/**
 * Starts a worker for a model.
 *
 * @param caller name of the function that needs it, for the error
 * @throws Error outside of a page
 */
export function startWorker(caller: string): Worker {
  if (typeof document === "undefined") {
    throw new Error(
      `${caller}: works in a page of a browser only. In Node, run the command "npx webvlm" instead.`,
    );
  }
  return new ModelWorker();
}
