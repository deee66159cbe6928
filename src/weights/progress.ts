/** What `load` tells while it works. */
export interface Progress {
  /** `files`: small files and headers; `weights`: the matrices; `ready`: the first request can be served. */
  readonly stage: "files" | "weights" | "ready";
  /** Bytes of weights that are on the GPU, of all that will be. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Bytes of those that came over the network, not from this device's cache. */
  readonly networkBytes: number;
}

export type OnProgress = (progress: Progress) => void;
