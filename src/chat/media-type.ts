/** Media types by the magic bytes of a file, a byte a character, which begin at index `from`. */
const SIGNATURES: readonly { type: string; magic: string; from?: number }[] = [
  { type: "image/png", magic: "\x89PNG\r\n\x1a\n" },
  { type: "image/jpeg", magic: "\xff\xd8\xff" },
  { type: "image/gif", magic: "GIF8" },
  { type: "image/webp", magic: "WEBP", from: 8 },
  { type: "image/avif", magic: "ftypavi", from: 4 },
  { type: "image/heic", magic: "ftyphe", from: 4 },
  { type: "image/heic", magic: "ftypmif1", from: 4 },
  { type: "image/tiff", magic: "II*\0" },
  { type: "image/tiff", magic: "MM\0*" },
  { type: "image/tiff", magic: "II+\0" },
  { type: "image/tiff", magic: "MM\0+" },
  { type: "image/jp2", magic: "jP  ", from: 4 },
  { type: "image/x-icon", magic: "\0\0\x01\0" },
  { type: "image/jxl", magic: "\xff\x0a" },
  { type: "image/jxl", magic: "JXL ", from: 4 },
  { type: "image/bmp", magic: "BM" },
  { type: "application/pdf", magic: "%PDF-" },
  { type: "application/zip", magic: "PK\x03\x04" },
  { type: "application/gzip", magic: "\x1f\x8b" },
  { type: "video/mp4", magic: "ftyp", from: 4 },
  { type: "video/webm", magic: "\x1aE\xdf\xa3" },
  { type: "audio/wav", magic: "WAVE", from: 8 },
  { type: "audio/mpeg", magic: "ID3" },
  { type: "audio/ogg", magic: "OggS" },
];

/** @returns the media type of a file by its first bytes; undefined if they are not known */
export function sniffMediaType(bytes: Uint8Array): string | undefined {
  // A TextDecoder of "latin1" decodes windows-1252: 0x80 to 0x9f become other characters.
  const start = String.fromCharCode(...bytes.subarray(0, 512));
  const known = SIGNATURES.find(({ magic, from = 0 }) => start.startsWith(magic, from));
  if (known) return known.type;
  const text = start
    .replace(/^\xef\xbb\xbf/, "")
    .trimStart()
    .toLowerCase(); // a UTF-8 byte-order mark
  if (text.startsWith("<!doctype html") || text.startsWith("<html")) return "text/html";
  if (text.includes("<svg")) return "image/svg+xml";
  return undefined;
}
