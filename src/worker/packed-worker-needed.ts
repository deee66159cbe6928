/** The checkpoint is quantized or a GGUF file, and only the worker of `packed-worker.ts` can read it. */
export class PackedWorkerNeeded extends Error {
  override name = "PackedWorkerNeeded";

  /** @returns whether a worker threw this; an error that crosses threads loses its class */
  static is(error: unknown): boolean {
    return error instanceof Error && error.name === "PackedWorkerNeeded";
  }
}
