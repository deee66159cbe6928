/** A decoded image, upright. */
export interface DecodedImage {
  readonly width: number;
  readonly height: number;
  /** Pixels to copy to the GPU: a bitmap with straight alpha, or RGBA bytes `[height, width, 4]`. */
  readonly source: ImageBitmap | Uint8Array<ArrayBuffer>;
}

/** Stores bytes by key, between visits. */
export interface ByteStore {
  get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  set(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  delete(keys: readonly string[]): Promise<void>;
  keys(): Promise<string[]>;
  /** Bytes that can still be stored. Undefined where nothing says it. */
  freeBytes?(): Promise<number | undefined>;
  /**
   * Waits until nobody else holds the lock of this name: no other tab or process. It ends with its tab
   * or process at the latest.
   *
   * @param options `onWait` is called if it is not free at once, and without an argument at the end. A
   *   `shared` lock waits for those only that are not shared.
   * @returns the unlock
   * @throws the signal's reason
   */
  readonly lock?: ((name: string, options: LockOptions) => Promise<() => void>) | undefined;
}

export interface LockOptions {
  readonly shared?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onWait?: ((wait?: object) => void) | undefined;
}

/** Computes the SHA-256 of bytes as they come. */
export interface Hash {
  /** Resolves when the next bytes may be passed. */
  update(bytes: Uint8Array<ArrayBuffer>): void | Promise<void>;
  /** @returns the hash of all bytes, in hexadecimal */
  digest(): string | Promise<string>;
}

/** A file that other sites may use too, where the browser lets sites share files. */
export interface SharedFile {
  /** In hexadecimal. */
  readonly sha256: string;
  /** Whether it is public. */
  readonly everyone: boolean;
}

/** The things that differ between a browser and Node. */
export interface Platform {
  /** @throws NoGpuError without WebGPU */
  requestAdapter(): Promise<GPUAdapter>;
  /**
   * Decodes a PNG, JPEG, WebP or other image: upright, with straight alpha.
   *
   * @throws Error when the bytes are not an image, RangeError when it has too many pixels
   */
  decodeImage(bytes: Blob): Promise<DecodedImage>;
  /** Opens the store of a name. Undefined if nothing can be stored. */
  openStore(name: string): ByteStore | undefined;
}
