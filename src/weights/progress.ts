/** How far a load has come. */
export interface Progress {
  /**
   * `files`: small files and headers are read. `weights`: matrices are read. `waiting`: the server or
   * the network does not answer, or another tab downloads the same weights. `ready`: the first request
   * can be answered. `recovering`: the GPU was lost, and the model is loaded again; the others follow.
   */
  readonly stage: "files" | "weights" | "waiting" | "ready" | "recovering";
  /** Bytes of the checkpoint that were passed to the GPU, of `totalBytes`. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Bytes of `loadedBytes` that came over the network, not from the store. */
  readonly networkBytes: number;
  /** How fast `loadedBytes` has grown in the last seconds. Undefined in the first one. */
  readonly bytesPerSecond?: number | undefined;
  /** Estimated from `bytesPerSecond`. */
  readonly secondsLeft?: number | undefined;
  /**
   * False once bytes could not be stored, because the disk is full, for example. Loading continues, and
   * the next load downloads them again. Undefined otherwise.
   */
  readonly stored?: false | undefined;
  /**
   * What `quantization: "auto"` has chosen for this device, and why: once, before the first weights.
   * Where the device doesn't reveal its memory, it says what was assumed.
   */
  readonly auto?: string | undefined;
  /**
   * The formats in which weights are stored already, while they are downloaded again because another
   * format was asked for. Undefined otherwise.
   */
  readonly storedAs?: readonly string[] | undefined;
  /** While `waiting` for a server or the network: time until the next try. */
  readonly waitSeconds?: number | undefined;
}

export type OnProgress = (progress: Progress) => void;

/** Progress before the first byte. */
export const NO_BYTES = { loadedBytes: 0, totalBytes: 0, networkBytes: 0 } as const;

/** The rate is that of this time, or of the last two samples. */
const WINDOW_MS = 15_000;

/** Estimates how fast bytes come, and the time left. */
export class Rate {
  readonly #samples: { readonly ms: number; readonly bytes: number }[] = [];

  /** @param ms the time, on any clock */
  add(
    bytes: number,
    totalBytes: number,
    ms = performance.now(),
  ): Pick<Progress, "bytesPerSecond" | "secondsLeft"> {
    const samples = this.#samples;
    samples.push({ ms, bytes });
    while (samples.length > 2 && ms - (samples[1]?.ms ?? ms) > WINDOW_MS) samples.shift();
    const [first = { ms, bytes }] = samples;
    if (ms - first.ms < 1000) return {};
    const bytesPerSecond = ((bytes - first.bytes) / (ms - first.ms)) * 1000;
    const left = { secondsLeft: (totalBytes - bytes) / bytesPerSecond };
    return { bytesPerSecond, ...(bytesPerSecond > 0 && left) };
  }
}
