import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** Bytes per read from disk. */
const READ_BYTES = 1 << 20;

/**
 * A `fetch` that also reads `file:` URLs, with ranges, so that the code that reads checkpoints from a
 * server can read them from a folder. Other URLs go to the global `fetch`.
 */
export const fetchFile: typeof fetch = async (input, init) => {
  const request = new Request(input, init);
  const url = new URL(request.url);
  if (url.protocol !== "file:") return fetch(input, init);
  let file: FileHandle;
  try {
    file = await open(fileURLToPath(url));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return new Response(null, { status: 404 });
    throw error;
  }
  const stats = await file.stat();
  if (!stats.isFile()) {
    await file.close();
    return new Response(null, { status: 404 });
  }
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "") ?? [];
  const begin = Number(from ?? 0);
  const end = Math.min(Number(to ?? Infinity) + 1, stats.size);
  const headers = {
    etag: `"${stats.size}-${stats.mtimeMs}"`,
    "content-range": `bytes ${begin}-${end - 1}/${stats.size}`,
  };
  if (begin >= end) {
    await file.close();
    return new Response(null, { status: from === undefined ? 200 : 416, headers });
  }
  const { signal } = request;
  const stream = file.createReadStream({
    start: begin,
    end: end - 1,
    highWaterMark: READ_BYTES,
    signal,
  });
  const body = Readable.toWeb(stream) as ReadableStream<Uint8Array>;
  return new Response(body, { status: from === undefined ? 200 : 206, headers });
};
