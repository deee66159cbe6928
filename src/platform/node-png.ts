import { crc32 } from "node:zlib";

/** One chunk of a PNG file; the type and the data are views of the file. */
interface Chunk {
  readonly type: string;
  readonly data: Buffer;
}

/** What is decoded of a PNG file. */
export interface PngFrame {
  /** A PNG file with one frame. */
  readonly file: Buffer;
  /** Where the frame lies in the image, and the image's size. Absent if the frame is all of it. */
  readonly place?: {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
  };
}

/** The bytes of the signature. */
const SIGNATURE_LENGTH = 8;

/** Whether a file begins as PNG files do. */
export function isPng(file: Buffer): boolean {
  return file.subarray(0, SIGNATURE_LENGTH).equals(Buffer.from("iVBORw0KGgo=", "base64"));
}

/**
 * Finds the first frame of a PNG file, as Chromium does: the image itself, or the first frame of an
 * animation that the image is no part of.
 *
 * @throws Error when the file is cut off before its last chunk, which libvips would not notice
 */
export function firstPngFrame(file: Buffer): PngFrame {
  const chunks = [...readChunks(file)];
  const image = chunks.findIndex(({ type }) => type === "IDAT");
  const control = chunks.findIndex(({ type }) => type === "fcTL");
  const isAnimated = chunks.slice(0, image).some(({ type }) => type === "acTL");
  if (!isAnimated || control < image) return { file };

  const { data } = chunks[control] as Chunk;
  const next = chunks.findIndex(({ type }, i) => i > control && type === "fcTL");
  const frame = chunks
    .slice(control, next < 0 ? undefined : next)
    .filter(({ type }) => type === "fdAT")
    .map((chunk) => ({ type: "IDAT", data: chunk.data.subarray(4) }));
  if (frame.length === 0) return { file };
  const header = Buffer.from((chunks[0] as Chunk).data);
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  data.copy(header, 0, 4, 12); // the frame's size
  const before = chunks.slice(1, image).filter(({ type }) => !/^(acTL|fcTL|fdAT)$/.test(type));
  const place = { x: data.readUInt32BE(12), y: data.readUInt32BE(16), width, height };
  return {
    file: Buffer.concat([
      file.subarray(0, SIGNATURE_LENGTH),
      ...[
        { type: "IHDR", data: header },
        ...before,
        ...frame,
        { type: "IEND", data: Buffer.alloc(0) },
      ].map(encodeChunk),
    ]),
    ...((data.readUInt32BE(4) !== width || data.readUInt32BE(8) !== height) && { place }),
  };
}

function* readChunks(file: Buffer): Generator<Chunk> {
  for (let at = SIGNATURE_LENGTH; ;) {
    const end = at + 12 + (at + 4 <= file.length ? file.readUInt32BE(at) : 0);
    if (end > file.length) throw new Error("it ends before its last chunk");
    const type = file.toString("latin1", at + 4, at + 8);
    yield { type, data: file.subarray(at + 8, end - 4) };
    if (type === "IEND") return;
    at = end;
  }
}

function encodeChunk({ type, data }: Chunk): Buffer {
  const chunk = Buffer.alloc(data.length + 12);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, "latin1");
  data.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4);
  return chunk;
}
