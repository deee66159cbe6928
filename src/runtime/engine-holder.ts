import type { Engine, EngineStats } from "../engine/engine.ts";
import type { GeneratedToken, GenerationInput, TokenGenerator } from "../engine/generation.ts";
import type { Gpu } from "../gpu/device.ts";
import { DeviceError, DeviceLostError, OutOfMemoryError } from "../platform/device-error.ts";
import { untilAborted } from "../platform/until-aborted.ts";

/** A model on a GPU. */
export interface RunningModel {
  readonly gpu: Pick<Gpu, "lost">;
  readonly engine: Pick<
    Engine,
    "generate" | "flush" | "contextLength" | "maxImages" | "kvCache" | "stats"
  >;
  /** Frees the GPU. What runs fails. */
  release(): void;
}

export interface EngineHolderOptions {
  /** Time in ms without requests after which the model leaves the GPU. Default: it stays. */
  readonly keepAliveMs?: number | undefined;
  /** Called when the GPU was lost, before the model is put on one again. */
  readonly onLost?: () => void;
}

/** Times in ms before the tries to put the model on a GPU again: a browser's may take a while to come back. */
const WAITS_MS = [0, 250, 1000, 3000];

/** A timer for longer would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** An answer goes on after so many losses without a token between them. */
const MOST_LOSSES = 3;

/**
 * Keeps a model on a GPU, and puts it on one again when a request comes after the GPU was lost or the
 * model has left it. Requests that ran go on where they were: their next tokens are those that they
 * would have had.
 */
export class EngineHolder<Running extends RunningModel = RunningModel> implements TokenGenerator {
  readonly #start: () => Promise<Running>;
  readonly #options: EngineHolderOptions;
  /** The model on the GPU, or the last one that was. */
  #last: Running;
  #isLoaded = true;
  #loading: Promise<Running> | undefined;
  #isDisposed = false;
  #requests = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param running the model, as it was loaded first
   * @param start puts the model on a GPU again
   */
  constructor(running: Running, start: () => Promise<Running>, options: EngineHolderOptions = {}) {
    this.#last = running;
    this.#start = start;
    this.#options = options;
    this.#watchIdle();
  }

  /** The model on the GPU, or the last one that was. */
  get last(): Running {
    return this.#last;
  }

  get contextLength(): number {
    return this.#last.engine.contextLength;
  }

  get maxImages(): number | undefined {
    return this.#last.engine.maxImages;
  }

  /** Counters of the engine since it is on this GPU. */
  get stats(): EngineStats & { readonly isLoaded: boolean } {
    const { stats } = this.#last.engine;
    const isLoaded = this.#isLoaded;
    return { ...stats, requests: this.#requests, isLoaded, ...(!isLoaded && { gpuBytes: 0 }) };
  }

  /** @inheritDoc TokenGenerator.generate */
  async *generate(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void> {
    const tokens = [...(input.begun ?? [])];
    this.#requests++;
    clearTimeout(this.#idle);
    try {
      for (let losses = 0; ; losses++) {
        const { engine } = await this.#running(input.signal);
        if (losses > 0) checkRoom(input, tokens, engine.contextLength);
        try {
          for await (const generated of engine.generate({ ...input, begun: [...tokens] })) {
            tokens.push(generated.token);
            losses = 0;
            yield generated;
          }
          return;
        } catch (error) {
          const isLost = error instanceof DeviceLostError && !this.#isDisposed;
          if (!isLost || losses === MOST_LOSSES) throw error;
        }
      }
    } finally {
      this.#requests--;
      this.#watchIdle();
    }
  }

  /** @inheritDoc TokenGenerator.flush */
  flush(): void {
    if (this.#isLoaded) this.#last.engine.flush();
  }

  /** Takes the model off the GPU, unless requests run. The next request puts it there again. */
  unload(): boolean {
    if (this.#requests > 0 || this.#loading) return false;
    this.#release();
    return true;
  }

  /** Frees the GPU for good. Running requests fail. */
  dispose(): void {
    this.#isDisposed = true;
    clearTimeout(this.#idle);
    this.#release();
  }

  #release(): void {
    if (!this.#isLoaded) return;
    this.#isLoaded = false;
    this.#last.release();
  }

  #watchIdle(): void {
    const { keepAliveMs } = this.#options;
    clearTimeout(this.#idle);
    if (this.#requests > 0 || this.#isDisposed || keepAliveMs === undefined) return;
    if (keepAliveMs > LONGEST_MS) return;
    this.#idle = setTimeout(() => this.unload(), keepAliveMs);
    // In Node, an idle model does not keep the process alive.
    if (typeof this.#idle === "object") this.#idle.unref();
  }

  /** The model on a GPU. Throws the signal's reason when it aborts before. */
  async #running(signal: AbortSignal | undefined): Promise<Running> {
    signal?.throwIfAborted();
    if (this.#isLoaded && this.#last.gpu.lost && !this.#isDisposed) {
      this.#options.onLost?.();
      this.#release();
    }
    if (this.#isLoaded) return this.#last;
    if (this.#isDisposed) throw new DeviceLostError("the model was disposed");
    this.#loading ??= this.#load().finally(() => (this.#loading = undefined));
    return signal ? untilAborted(this.#loading, signal) : this.#loading;
  }

  /** Throws OutOfMemoryError or DeviceLostError when the last try fails; at once what no other GPU would mend. */
  async #load(): Promise<Running> {
    let failure: DeviceError | undefined;
    for (const waitMs of WAITS_MS) {
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (this.#isDisposed) throw new DeviceLostError("the model was disposed");
      try {
        const running = await this.#start();
        this.#last = running;
        this.#isLoaded = true;
        if (this.#isDisposed) this.#release();
        return running;
      } catch (error) {
        if (!(error instanceof DeviceError)) throw error;
        failure = error;
      }
    }
    if (failure instanceof OutOfMemoryError) throw failure;
    const message = `the GPU does not come back: ${failure?.message}`;
    throw new DeviceLostError(message, { cause: failure });
  }
}

/** Throws DeviceLostError when an answer has no room on a GPU with less memory than the one before. */
function checkRoom({ ids, maxTokens }: GenerationInput, tokens: number[], context: number): void {
  const rows = ids.length + tokens.length;
  if (tokens.length >= maxTokens || rows < context) return;
  throw new DeviceLostError(
    `the GPU was lost, and now has memory for ${context} tokens: prompt and answer have ${rows} so far`,
  );
}
