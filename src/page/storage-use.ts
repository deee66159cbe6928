/** What this page's origin stores, models and other things together. */
export interface StorageUse {
  readonly usedBytes: number | undefined;
  /** Bytes that the origin may use at most. */
  readonly quotaBytes: number | undefined;
  /** False if the browser may delete everything when the disk is full: see `persistStorage`. */
  readonly persisted: boolean;
}
