/** What is known of a device's memory. */
export interface DeviceMemory {
  /** Memory of the whole device, as far as it is revealed. */
  readonly memoryBytes?: number | undefined;
  /** A phone or tablet. */
  readonly mobile?: boolean | undefined;
  /** Size limit of one GPU buffer. */
  readonly maxBufferBytes?: number | undefined;
}

/** The GPU memory that "auto" may use. */
export interface MemoryBudget {
  readonly bytes: number;
  /** Where the number comes from, in a few words. */
  readonly source: string;
  /** The caller has named the number, so it must not be exceeded. */
  readonly strict: boolean;
}

const GIB = 2 ** 30;
/** Phones end pages that take more. */
const MOBILE_BYTES = GIB;
/** For a desktop that doesn't reveal its memory: most have 8 GiB or more. */
const DESKTOP_BYTES = 4 * GIB;
/** A buffer limit is usually a quarter of a GPU's memory or more. */
const BUFFERS = 4;

/**
 * Estimates how much memory a model may take: half of what the device has, because on most devices the
 * GPU shares it, less on phones, and not more than the GPU's limits suggest.
 *
 * @param asked the option `memoryBytes`, which overrides the estimate
 */
export function memoryBudget(asked: number | undefined, device: DeviceMemory): MemoryBudget {
  if (asked !== undefined) {
    if (!(asked > 0)) throw new RangeError(`memoryBytes: expected a positive number, got ${asked}`);
    return { bytes: asked, source: "memoryBytes", strict: true };
  }
  const { memoryBytes, mobile = false, maxBufferBytes = Infinity } = device;
  const bounds = [
    memoryBytes === undefined
      ? { bytes: DESKTOP_BYTES, source: "assumed, for the device doesn't reveal its memory" }
      : { bytes: memoryBytes / 2, source: `half of ${memoryBytes / GIB} GiB` },
    ...(mobile ? [{ bytes: MOBILE_BYTES, source: "a phone or tablet" }] : []),
    { bytes: BUFFERS * maxBufferBytes, source: "the GPU's buffer limit" },
  ];
  const least = bounds.reduce((a, b) => (b.bytes < a.bytes ? b : a));
  return { ...least, strict: false };
}
