import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

/** Faults of the server, set between requests. Counters go down with each use. */
export interface Faults {
  /** Closes the connection after this many bytes of a body of weights ... */
  dieAfterBytes?: number | undefined;
  /** ... this many times. Default: always. */
  deaths?: number | undefined;
  /** Sends nothing after this many bytes, once, and leaves the connection open. */
  stallAfterBytes?: number | undefined;
  /** Sends nothing from this byte of the file on, once. */
  stallAtByte?: number | undefined;
  /** How the next requests are refused, one each: those for weights, or all with `small`. */
  refusals?: Refusal[];
  /** More faults of one request for weights. */
  draw?: (() => Faults) | undefined;
  /** Sends whole files, whatever the requested range. */
  ignoreRange?: boolean;
  /** Answers only requests with this token, as for a gated repository. */
  token?: string;
  /** Lists no files of a revision. */
  noListing?: boolean;
  /** Sends no hashes, as a plain web server. */
  noHashes?: boolean;
  /** Flips a bit of the byte at this position in each file of weights. */
  corruptByte?: number | undefined;
  /** Waits between pieces of 64 KiB. */
  pieceDelayMs?: number;
}

interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly small?: boolean;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** A local server that behaves like the hub. */
export interface HubServer {
  /** The endpoint: `/org/name/resolve/main/…`. Plain folders are at `/folders/org/name/…`. */
  readonly url: string;
  /** Files by repository (`org/name`) and name. Tests may change them. */
  readonly repositories: Record<string, Record<string, Uint8Array>>;
  readonly faults: Faults;
  /** All requests so far. Empty it with `length = 0`. */
  readonly requests: SeenRequest[];
  /** Bytes of weights that were sent so far. */
  readonly sentBytes: number;
  close(): Promise<void>;
}

const EXPOSED =
  "X-Repo-Commit,X-Error-Code,X-Error-Message,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag";
const PIECE_BYTES = 64 << 10;

export async function startHub(
  repositories: Record<string, Record<string, Uint8Array>>,
): Promise<HubServer> {
  const faults: Faults = {};
  const requests: SeenRequest[] = [];
  const sent = { bytes: 0 };
  const server = createServer((request, response) => {
    const { method = "GET", url: path = "/", headers } = request;
    requests.push({ method, path, range: headers.range, authorization: headers.authorization });
    answer({ repositories, faults, sent }, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    repositories,
    faults,
    requests,
    get sentBytes() {
      return sent.bytes;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** @returns the files of a local folder, by name */
export function readFolder(folder: string): Record<string, Uint8Array> {
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(files.map(({ name }) => [name, readFileSync(join(folder, name))]));
}

/** The commit hash of a repository: here, a hash of all its files. */
export function commitOf(files: Readonly<Record<string, Uint8Array>>): string {
  const hash = createHash("sha1");
  for (const name of Object.keys(files).sort()) hash.update(name).update(sha1(files[name]!));
  return hash.digest("hex");
}

interface State extends Pick<HubServer, "repositories" | "faults"> {
  readonly sent: { bytes: number };
}

async function answer(
  { repositories, ...state }: State,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { faults } = state;
  response.setHeader("Access-Control-Allow-Origin", request.headers.origin ?? "*");
  response.setHeader("Access-Control-Expose-Headers", EXPOSED);
  if (request.method === "OPTIONS") {
    response.setHeader("Access-Control-Allow-Headers", "Authorization,Range");
    response.setHeader("Access-Control-Allow-Methods", "GET,HEAD,OPTIONS");
    response.writeHead(204).end();
    return;
  }
  const path = decodeURIComponent(new URL(request.url ?? "/", "http://hub").pathname);
  const refuse = (status: number, code: string) =>
    response.writeHead(status, { "X-Error-Code": code, "Content-Type": "text/plain" }).end(code);
  const refusal = faults.refusals?.[0];
  if (refusal && (refusal.small || isLarge(path))) {
    faults.refusals?.shift();
    response.writeHead(refusal.status, refusal.headers).end();
    return;
  }

  const [, cdnRepository = "", cdnFile = ""] = /^\/cdn\/([^/]+\/[^/]+)\/([^/]+)$/.exec(path) ?? [];
  const cdnBytes = repositories[cdnRepository]?.[cdnFile];
  // The content network has its own ETags, and needs no token, because its links are signed.
  if (cdnBytes) return send(request, response, cdnBytes, `"cdn-${md5(cdnBytes)}"`, state);

  const { authorization } = request.headers;
  if (faults.token && authorization !== `Bearer ${faults.token}`) {
    return void refuse(authorization ? 403 : 401, "GatedRepo");
  }
  const [, listed = "", revision = ""] =
    /^\/api\/models\/([^/]+\/[^/]+)\/revision\/(.+)$/.exec(path) ?? [];
  if (listed) {
    if (faults.noListing) return void response.writeHead(404).end();
    const files = repositories[listed];
    if (!files) return void refuse(401, "RepoNotFound");
    if (!["main", commitOf(files)].includes(revision)) return void refuse(404, "RevisionNotFound");
    return sendJson(request, response, listing(listed, files));
  }
  const [, tree = ""] = /^\/api\/models\/([^/]+\/[^/]+)\/tree\/.+$/.exec(path) ?? [];
  if (repositories[tree]) return sendJson(request, response, treeOf(repositories[tree]));
  const [, folder = "", plain = ""] = /^\/folders\/([^/]+\/[^/]+)\/(.+)$/.exec(path) ?? [];
  const plainBytes = repositories[folder]?.[plain];
  if (plainBytes) return send(request, response, plainBytes, `W/"${md5(plainBytes)}"`, state);

  const [, repository = "", file = ""] =
    /^\/([^/]+\/[^/]+)\/resolve\/.+?\/((?:additional_chat_templates\/)?[^/]+)$/.exec(path) ?? [];
  const files = repositories[repository];
  if (!files) return void refuse(repository ? 401 : 404, "RepoNotFound");
  const bytes = files[file];
  if (!bytes) return void refuse(404, "EntryNotFound");
  response.setHeader("X-Repo-Commit", commitOf(files));
  if (!isLarge(file)) return send(request, response, bytes, `"${sha1(bytes)}"`, state);
  if (!faults.noHashes) {
    response.setHeader("X-Linked-Size", bytes.length);
    response.setHeader("X-Linked-ETag", `"${sha256(bytes)}"`);
  }
  // The content network is another host. Clients don't send it their token.
  const cdn = `http://localhost:${request.socket.localPort}/cdn`;
  response
    .writeHead(302, { Location: `${cdn}/${repository}/${file}?signature=${sha1(bytes)}` })
    .end();
}

/** The listing of a repository, which Python's client requests since version 2. */
function treeOf(files: Readonly<Record<string, Uint8Array>>): object[] {
  return Object.entries(files).map(([path, bytes]) => ({
    type: "file",
    path,
    size: bytes.length,
    oid: sha1(bytes),
    ...(isLarge(path) && { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } }),
  }));
}

function listing(name: string, files: Readonly<Record<string, Uint8Array>>): object {
  const siblings = Object.entries(files).map(([rfilename, bytes]) => ({
    rfilename,
    size: bytes.length,
    blobId: sha1(bytes),
    ...(isLarge(rfilename) && {
      lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 },
    }),
  }));
  return { id: name, sha: commitOf(files), gated: false, siblings };
}

function sendJson(request: IncomingMessage, response: ServerResponse, value: object): void {
  response.setHeader("Content-Type", "application/json");
  const body = Buffer.from(JSON.stringify(value));
  if (!request.headers["accept-encoding"]?.includes("gzip")) return void response.end(body);
  response.setHeader("Content-Encoding", "gzip");
  response.end(gzipSync(body));
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  file: Uint8Array,
  etag: string,
  { faults: known, sent }: Omit<State, "repositories">,
): Promise<void> {
  const large = isLarge(new URL(request.url ?? "/", "http://hub").pathname);
  const faults = large && known.draw ? { ...known, ...known.draw() } : known;
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const ranged = from !== undefined && !faults.ignoreRange;
  const begin = ranged ? Number(from) : 0;
  const end = ranged && to ? Math.min(Number(to) + 1, file.length) : file.length;
  if (begin >= end) {
    response.writeHead(416, { "Content-Range": `bytes */${file.length}` }).end();
    return;
  }
  response.writeHead(ranged ? 206 : 200, {
    ETag: etag,
    "Accept-Ranges": "bytes",
    "Content-Length": end - begin,
    "Content-Type": large ? "application/octet-stream" : "text/plain",
    ...(ranged && { "Content-Range": `bytes ${begin}-${end - 1}/${file.length}` }),
  });
  if (request.method === "HEAD") return void response.end();
  const body = Buffer.from(file.subarray(begin, end));
  const corrupt = large && faults.corruptByte !== undefined ? faults.corruptByte - begin : -1;
  if (corrupt >= 0 && corrupt < body.length) body[corrupt] = (body[corrupt] as number) ^ 1;
  const { stallAtByte = -1 } = faults;
  const stalls = large && begin < stallAtByte && stallAtByte < end;
  if (stalls) known.stallAtByte = undefined;
  const more = stalls && { stallAfterBytes: stallAtByte - begin };
  const onPiece = (bytes: number) => void (large && (sent.bytes += bytes));
  await pour(response, body, large ? (more ? { ...faults, ...more } : faults) : {}, onPiece);
}

/** Writes a body as fast as it is read, with the given faults. */
async function pour(
  response: ServerResponse,
  body: Buffer,
  faults: Faults,
  onPiece: (bytes: number) => void,
): Promise<void> {
  const dies =
    faults.dieAfterBytes !== undefined && faults.dieAfterBytes < body.length && faults.deaths !== 0;
  // Counted now: other connections are open at the same time.
  if (dies && faults.deaths !== undefined) faults.deaths--;
  const stalls = !dies && faults.stallAfterBytes !== undefined;
  const limit = Math.min(
    (dies ? faults.dieAfterBytes : faults.stallAfterBytes) ?? Infinity,
    body.length,
  );
  const cut = (dies || stalls) && limit < body.length;
  for (let begin = 0; begin < limit && !response.destroyed; begin += PIECE_BYTES) {
    const piece = body.subarray(begin, Math.min(begin + PIECE_BYTES, limit));
    onPiece(piece.length);
    if (!response.write(piece)) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          response.off("drain", go).off("close", go);
          resolve();
        };
        response.on("drain", go).on("close", go);
      });
    }
    if (faults.pieceDelayMs) await sleep(faults.pieceDelayMs);
  }
  if (!cut) return void response.end();
  if (stalls) {
    faults.stallAfterBytes = undefined;
    return;
  }
  // The written bytes must arrive before the connection is closed.
  await sleep(5);
  response.destroy();
}

const isLarge = (path: string) => /\.(safetensors|gguf)$/.test(path);
/** @returns a function that computes the hash of a file once */
function digest(algorithm: string): (bytes: Uint8Array) => string {
  const known = new WeakMap<Uint8Array, string>();
  return (bytes) => {
    const hash = known.get(bytes) ?? createHash(algorithm).update(bytes).digest("hex");
    known.set(bytes, hash);
    return hash;
  };
}
const sha256 = digest("sha256");
const sha1 = digest("sha1");
const md5 = digest("md5");
