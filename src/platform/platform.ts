/** A decoded image, upright. */
export interface DecodedImage {
  readonly width: number;
  readonly height: number;
  /** What can be copied to the GPU: a bitmap with straight alpha, or RGBA bytes row by row. */
  readonly source: ImageBitmap | Uint8Array<ArrayBuffer>;
}

/** Keeps bytes by key between visits. */
export interface ByteStore {
  get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  set(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  delete(keys: readonly string[]): Promise<void>;
  keys(): Promise<string[]>;
}

/** All that differs between a page, a worker and Node. */
export interface Platform {
  /** Throws NoGpuError when there is no WebGPU. */
  requestAdapter(): Promise<GPUAdapter>;
  /**
   * Decodes PNG, JPEG, WebP ... upright, with straight alpha.
   *
   * @throws Error when it is no image, RangeError when it has more pixels than are decoded here
   */
  decodeImage(bytes: Blob): Promise<DecodedImage>;
  /** Where weights are kept; undefined where nothing can be. */
  openStore(name: string): ByteStore | undefined;
}
