/** The checkpoint is of a rare family, quantized, or a GGUF file: `full-worker.ts` can load it. */
export class FullWorkerNeeded extends Error {
  override name = "FullWorkerNeeded";

  /** @returns whether a worker threw this; an error that crosses threads loses its class */
  static is(error: unknown): boolean {
    return error instanceof Error && error.name === "FullWorkerNeeded";
  }
}
