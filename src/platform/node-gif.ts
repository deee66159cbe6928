/** A rectangle in pixels. */
interface FrameRectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The first bytes of a GIF's blocks: an extension and a frame. */
const [EXTENSION, FRAME] = [0x21, 0x2c] as const;

/** Where the first frame of a GIF file lies in its image; undefined if the file has none. */
export function firstGifFrame(file: Buffer): FrameRectangle | undefined {
  if (file.length < 13) return undefined;
  const flags = file.readUInt8(10);
  let at = 13 + (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0); // behind the palette
  while (file[at] === EXTENSION) {
    at += 2;
    while (at < file.length && file[at] !== 0) at += (file[at] as number) + 1;
    at++;
  }
  if (file[at] !== FRAME || at + 9 > file.length) return undefined;
  const [x, y, width, height] = [1, 3, 5, 7].map((offset) => file.readUInt16LE(at + offset));
  return { x, y, width, height } as FrameRectangle;
}

/**
 * Makes the pixels beyond a GIF's first frame transparent, as Chromium does. libvips gives them the
 * background's colour.
 *
 * @param rgba `[height, width, 4]`
 */
export function clearAround(frame: FrameRectangle, rgba: Uint8Array, width: number): void {
  for (let i = 0; i < rgba.length / 4; i++) {
    const [x, y] = [(i % width) - frame.x, Math.floor(i / width) - frame.y];
    const isInside = x >= 0 && x < frame.width && y >= 0 && y < frame.height;
    if (!isInside) rgba.fill(0, 4 * i, 4 * i + 4);
  }
}
