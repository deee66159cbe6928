import type { ImageLayout } from "../models/model.ts";
import type { GenerationInput, PreparedImage } from "./generation.ts";
import type { RowContent } from "./prefix-cache.ts";

/** Keys and values of images may take this much, though one image there must be room for ... */
const IMAGE_KEY_BYTES = 2 ** 30;

/** ... and more images than this are rarely asked about. */
const MOST_IMAGES = 16;

/**
 * @param imageBytes of all keys and values of an image
 * @param tensorBytes of those in one buffer
 * @param bindingBytes that the device can bind at once
 * @returns how many images there is room for
 */
export function maxCrossAttentionImages(
  imageBytes: number,
  tensorBytes: number,
  bindingBytes: number,
): number {
  const affordable = Math.min(IMAGE_KEY_BYTES / imageBytes, bindingBytes / tensorBytes);
  return Math.max(1, Math.min(MOST_IMAGES, Math.floor(affordable)));
}

type Keyed = Pick<ImageLayout, "attendedKeys">;

/** How the keys of a prompt's images lie in a ring of N rows. */
export interface CrossAttentionRing {
  /** Rows of each image. */
  readonly rows: number;
  readonly N: number;
}

/**
 * The ring's row of each key, by image. Those that are seen come one after another from the start,
 * the others from the end down, so that all are neighbours, and so are the seen ones. No image's
 * place depends on a later one.
 */
export function crossAttentionRows(
  layouts: readonly Keyed[],
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

/** The image keys `first ..= last` that a row attends to, and whether it is at an image or after one. */
export interface CrossAttentionRange {
  readonly crossFirst: number;
  readonly crossLast: number;
  readonly afterImage: boolean;
}

/**
 * Which image keys each row of a prompt attends to.
 *
 * @returns `[T]`, or undefined where there is no image
 * @throws RangeError when the prompt has another number of placeholders than of images
 */
export function crossAttentionRanges(
  ids: readonly number[],
  layouts: readonly Keyed[],
  imageTokenId: number,
  { rows, N }: CrossAttentionRing,
): CrossAttentionRange[] | undefined {
  const placeholders = ids.filter((id) => id === imageTokenId).length;
  if (placeholders !== layouts.length) {
    throw new RangeError(`prompt has ${placeholders} image tokens for ${layouts.length} images`);
  }
  if (layouts.length === 0) return undefined;
  const seen = layouts.map(({ attendedKeys = rows }) => attendedKeys);
  const total = seen.reduce((sum, count) => sum + count, 0);
  const unseen = layouts.length * rows - total;
  let range = { crossFirst: N - unseen, crossLast: N + total - 1, afterImage: false };
  let [next, end] = [0, 0];
  return ids.map((id, position) => {
    if (id !== imageTokenId) return range;
    const follows = range.afterImage && ids[position - 1] === imageTokenId;
    const crossFirst = follows ? range.crossFirst : end;
    end += seen[next++] as number;
    range = { crossFirst, crossLast: end - 1, afterImage: true };
    return range;
  });
}

/**
 * @param contents of the rows of a prompt, as far as they don't depend on what comes later
 * @returns what they are of where rows before the first image depend on all images
 */
export function crossAttentionContents(
  contents: readonly RowContent[],
  images: readonly Pick<PreparedImage, "key">[],
  first: number,
): RowContent[] {
  const keys = images.map(({ key }) => key);
  const unknown = Symbol("images of which one has no key");
  const all = keys.includes(undefined) ? unknown : JSON.stringify(keys);
  return contents.map((content, position) => {
    if (position >= first) return content;
    return typeof all === "symbol" ? all : `${String(content)} before ${all}`;
  });
}

/** Which images' keys and values are in the image states: they stay there for the next request. */
export class CrossAttentionCache {
  readonly ring: CrossAttentionRing;
  /** Salt and key of each, from the first place on. */
  #names: readonly string[] = [];

  constructor(ring: CrossAttentionRing) {
    this.ring = ring;
  }

  /** Forgets them, and one that is encoded meanwhile. */
  clear(): void {
    this.#names = [];
  }

  /**
   * Sees to it that all images of a prompt are there.
   *
   * @param encode writes an image's keys and values to their places
   * @param onHeld told each image that is there already
   * @throws what `encode` throws, and the signal's reason when it aborts
   */
  async hold(
    { images, cacheSalt = "", signal }: GenerationInput,
    encode: (image: PreparedImage, places: Uint32Array) => Promise<void>,
    onHeld?: (image: PreparedImage) => void,
  ): Promise<void> {
    const layouts = images.map(({ layout }) => layout);
    const places = crossAttentionRows(layouts, this.ring);
    for (const [i, image] of images.entries()) {
      signal?.throwIfAborted();
      const name = image.key && `${cacheSalt}\n${image.key}`;
      if (name !== undefined && this.#names[i] === name) {
        onHeld?.(image);
        continue;
      }
      // Later ones were at other places, and this one's may get half written.
      const before = this.#names.slice(0, i);
      this.#names = before;
      await encode(image, places[i] as Uint32Array);
      const isNext = before.length === i && this.#names === before; // none without key, none cleared
      if (isNext && name !== undefined) this.#names = [...before, name];
    }
  }
}
