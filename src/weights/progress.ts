/** How far a load has come. */
export interface Progress {
  /**
   * `files`: small files and headers are read. `weights`: matrices are read. `ready`: the first
   * request can be answered.
   */
  readonly stage: "files" | "weights" | "ready";
  /** Bytes of the checkpoint that were passed to the GPU, of `totalBytes`. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Bytes of `loadedBytes` that came over the network, not from the store. */
  readonly networkBytes: number;
}

export type OnProgress = (progress: Progress) => void;
