import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

const DECODERS = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * A `fetch` that waits for as long as its caller does: Node's own gives up when an answer begins
 * later than after five minutes, or pauses for as long. It follows no redirects.
 *
 * @throws Error when the server can't be reached; the signal's reason
 */
export const patientFetch: typeof fetch = async (input, init) => {
  const request = new Request(input, init);
  const body = request.body && new Uint8Array(await request.arrayBuffer());
  const message = await send(request, body);
  const { statusCode: status = 502, statusMessage: statusText = "" } = message;
  const headers = new Headers();
  for (let i = 0; i < message.rawHeaders.length; i += 2) {
    headers.append(message.rawHeaders[i] as string, message.rawHeaders[i + 1] as string);
  }
  if (status === 204 || status === 205 || status === 304) {
    message.resume();
    return new Response(null, { status, statusText, headers });
  }
  return new Response(decoded(message), { status, statusText, headers });
};

function send(
  { url, method, headers, signal }: Request,
  body: Uint8Array | null,
): Promise<IncomingMessage> {
  const start = url.startsWith("https:") ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    // A connection of its own: one that was kept may be closed by the server just now.
    const options = { method, headers: Object.fromEntries(headers), signal, agent: false };
    const request = start(url, options, resolve);
    request.on("error", (error) => reject(signal.aborted ? signal.reason : error));
    if (body) request.setHeader("content-length", body.length);
    request.setHeader("accept-encoding", "identity");
    request.end(body);
  });
}

function decoded(message: IncomingMessage): ReadableStream<Uint8Array> {
  const encoding = message.headers["content-encoding"]?.toLowerCase() ?? "";
  const create = Object.hasOwn(DECODERS, encoding) && DECODERS[encoding as keyof typeof DECODERS];
  const readable = create ? message.compose<Readable>(create()) : message;
  return Readable.toWeb(readable) as ReadableStream<Uint8Array>;
}
