import type { ImageLayout } from "../models/model.ts";
import type { GenerationInput, PreparedImage } from "./generation.ts";
import type { RowContent } from "./prefix-cache.ts";

/** Bytes that cross-attention keys and values may take, though one image must always fit ... */
const CROSS_ATTENTION_BYTES = 2 ** 30;

/** ... and few prompts have more images than this. */
const MAX_IMAGES = 16;

/**
 * @param imageBytes bytes of all keys and values of one image
 * @param tensorBytes bytes of one image in one of the buffers
 * @param bindingBytes the largest binding of the device
 * @returns how many images the cross-attention cache holds, 1 to 16
 */
export function maxCrossAttentionImages(
  imageBytes: number,
  tensorBytes: number,
  bindingBytes: number,
): number {
  const affordable = Math.min(CROSS_ATTENTION_BYTES / imageBytes, bindingBytes / tensorBytes);
  return Math.max(1, Math.min(MAX_IMAGES, Math.floor(affordable)));
}

/** What decides where the keys of an image lie. */
type KeyLayout = Pick<ImageLayout, "attendedKeys">;

/**
 * N rows that hold the keys of a prompt's images. Index i, below 2N, is row i mod N, so that a range
 * of keys may continue at row 0.
 */
export interface CrossAttentionRing {
  /** Rows of each image. */
  readonly rows: number;
  /** Rows of the ring. */
  readonly N: number;
}

/**
 * The rows of the ring that hold each image's keys. Keys that rows after the image attend to (the
 * first `attendedKeys`) fill the ring from its start up, the others from its end down. So the attended
 * keys of all images are contiguous, and so are all keys. No image's rows depend on a later image.
 *
 * @returns `[rows]` for each image
 */
export function crossAttentionRows(
  layouts: readonly KeyLayout[],
  { rows, N }: CrossAttentionRing,
): Uint32Array[] {
  let [start, end] = [0, N];
  return layouts.map(({ attendedKeys = rows }) => {
    const first = start;
    start += attendedKeys;
    end -= rows - attendedKeys;
    return Uint32Array.from(
      { length: rows },
      (_, i) => (i < attendedKeys ? first : end - attendedKeys) + i,
    );
  });
}

/** The cross-attention keys `crossFirst ..= crossLast` of a row, and whether it is at or after an image. */
export interface CrossAttentionRange {
  readonly crossFirst: number;
  readonly crossLast: number;
  readonly afterImage: boolean;
}

/**
 * The cross-attention keys that each row of a prompt attends to. Rows from an image's token on attend
 * to that image, until the next image's token. Images whose tokens are neighbours are attended to
 * together. Rows before the first image attend to all keys of all images.
 *
 * @returns `[T]`, or undefined where the prompt has no image
 * @throws RangeError when the prompt has another number of placeholders than of images
 */
export function crossAttentionRanges(
  ids: readonly number[],
  layouts: readonly KeyLayout[],
  imageTokenId: number,
  { rows, N }: CrossAttentionRing,
): CrossAttentionRange[] | undefined {
  const placeholders = ids.filter((id) => id === imageTokenId).length;
  if (placeholders !== layouts.length) {
    throw new RangeError(
      `prompt has ${placeholders} image tokens, expected ${layouts.length} for its images`,
    );
  }
  if (layouts.length === 0) return undefined;
  const attended = layouts.map(({ attendedKeys = rows }) => attendedKeys);
  const total = attended.reduce((sum, count) => sum + count, 0);
  const others = layouts.length * rows - total;
  let range = { crossFirst: N - others, crossLast: N + total - 1, afterImage: false };
  let [image, end] = [0, 0];
  return ids.map((id, position) => {
    if (id !== imageTokenId) return range;
    const isNeighbour = range.afterImage && ids[position - 1] === imageTokenId;
    const crossFirst = isNeighbour ? range.crossFirst : end;
    end += attended[image++] as number;
    range = { crossFirst, crossLast: end - 1, afterImage: true };
    return range;
  });
}

/**
 * Adds to what each row is computed from: rows before the first image depend on all images.
 *
 * @param contents `[T]`, as `promptContents` returns them
 * @param first position of the first image
 * @returns `[T]`
 */
export function crossAttentionContents(
  contents: readonly RowContent[],
  images: readonly Pick<PreparedImage, "key">[],
  first: number,
): RowContent[] {
  const keys = images.map(({ key }) => key);
  const unknown = Symbol("images, one of them without key");
  const all = keys.includes(undefined) ? unknown : JSON.stringify(keys);
  return contents.map((content, position) => {
    if (position >= first) return content;
    return typeof all === "symbol" ? all : `${String(content)} before ${all}`;
  });
}

/** The requests' fields that identify images in the ring. */
type RingImages = Pick<GenerationInput, "images" | "cacheSalt">;

/** @returns salt and key of each image; undefined for an image without key */
function namesOf({ images, cacheSalt = "" }: RingImages): (string | undefined)[] {
  return images.map(({ key }) => key && `${cacheSalt}\n${key}`);
}

/** @returns whether the images of two requests can be in the ring at the same time: one list begins with the other */
export function canShareRing(a: RingImages, b: RingImages): boolean {
  const [names, others] = [namesOf(a), namesOf(b)];
  const both = Math.min(names.length, others.length);
  for (let i = 0; i < both; i++) {
    if (names[i] === undefined || names[i] !== others[i]) return false;
  }
  return true;
}

/** Knows which images' keys and values are in the ring. They stay there for the next request. */
export class CrossAttentionCache {
  readonly ring: CrossAttentionRing;
  /** Salt and key of each image in the ring, in order. */
  #images: readonly string[] = [];

  constructor(ring: CrossAttentionRing) {
    this.ring = ring;
  }

  /** Forgets all images, and also an image that is being encoded. */
  clear(): void {
    this.#images = [];
  }

  /**
   * Encodes the images of a prompt that are not in the ring yet.
   *
   * @param encode writes an image's keys and values to rows of the ring
   * @param onCached called for each image that is in the ring already
   * @throws what `encode` throws, and the signal's reason when it aborts
   */
  async encodeMissing(
    { images, cacheSalt, signal }: RingImages & { readonly signal?: AbortSignal },
    encode: (image: PreparedImage, rows: Uint32Array) => Promise<void>,
    onCached?: (image: PreparedImage) => void,
  ): Promise<void> {
    const rows = crossAttentionRows(
      images.map(({ layout }) => layout),
      this.ring,
    );
    const names = namesOf({ images, ...(cacheSalt !== undefined && { cacheSalt }) });
    for (const [i, image] of images.entries()) {
      signal?.throwIfAborted();
      const name = names[i];
      if (name !== undefined && this.#images[i] === name) {
        onCached?.(image);
        continue;
      }
      // This image overwrites later ones, and an error may leave it half written.
      const before = this.#images.slice(0, i);
      this.#images = before;
      await encode(image, rows[i] as Uint32Array);
      // An image without key before this one, or a `clear` meanwhile, leaves a gap.
      const hasNoGap = before.length === i && this.#images === before;
      if (hasNoGap && name !== undefined) this.#images = [...before, name];
    }
  }
}
