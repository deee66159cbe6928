/** Only the worker of `packed-worker.ts` can do it: read a packed checkpoint or a GGUF file, or plan. */
export class PackedWorkerNeeded extends Error {
  override name = "PackedWorkerNeeded";

  /** @returns whether a worker threw this; an error that crosses threads loses its class */
  static is(error: unknown): boolean {
    return error instanceof Error && error.name === "PackedWorkerNeeded";
  }
}
