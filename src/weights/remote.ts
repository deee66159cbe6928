import { type WeightCache, fileKey } from "./cache.ts";
import type { Folder, FileTag, Listing } from "./folder.ts";
import { type Http, download, readWhole } from "./http.ts";
import { type OpenedGguf, type ReadFiles, readFiles } from "./read-files.ts";
import { HttpError, InterruptedError, isBusy } from "./retry.ts";
import { type Source, fileUrl } from "./source.ts";

/**
 * Reads the small files of a checkpoint on a server, and the headers of its weight files.
 *
 * @throws HttpError, InterruptedError, Error for a file that is not valid, the signal's reason
 */
export async function openRemote(
  source: Source,
  http: Http,
  cache: WeightCache,
  gguf?: OpenedGguf,
): Promise<ReadFiles> {
  // Few retries: a server that can't be reached here mostly has a wrong address.
  const impatient = { ...http, retries: Math.min(http.retries, 2) };
  const listing = await readListing({ source, http: impatient });
  return readFiles(remoteFiles(source, impatient, cache, listing), gguf);
}

/** The files of a folder on a server. Small files come from the cache where it has them. */
function remoteFiles(
  source: Source,
  http: Http,
  cache: WeightCache,
  listing: Listing | undefined,
): Folder {
  const urlOf = (name: string) => fileUrl(source, name, listing?.commit);
  return {
    id: source.id,
    listing,
    async read(name) {
      const listed = listing?.files.get(name);
      const kept = listed && (await cache.get(fileKey(source.folder, name, listed.tag)));
      if (kept) return { ...listed, content: kept };
      const url = urlOf(name);
      const { bytes, headers } = await readWhole(http, url);
      if (isPage(headers)) throw new HttpError(url, 404);
      return { ...fileTag(source, headers, false), ...listed, content: bytes };
    },
    async readRange(name, begin, end) {
      const url = urlOf(name);
      let answered: FileTag = { tag: "" };
      const content = new Uint8Array(end - begin);
      let position = 0;
      const pieces = download(http, url, begin, end, (response) => {
        if (isPage(response.headers)) throw new HttpError(url, 404);
        const { headers, redirected, status } = response;
        const whole = status === 200 && headers.get("content-length");
        answered = {
          ...(whole && { bytes: Number(whole) }),
          ...fileTag(source, headers, redirected),
          ranges: status === 206,
        };
      });
      for await (const piece of pieces) {
        content.set(piece, position);
        position += piece.length;
      }
      return { ...answered, ...listing?.files.get(name), content };
    },
    missing: (name) => new HttpError(urlOf(name), 404),
  };
}

/** Codes of a hub that offers no file of the revision. */
const REFUSALS: readonly (string | undefined)[] = ["GatedRepo", "RepoNotFound", "RevisionNotFound"];

/** @returns undefined when the server is no hub, or gives no list */
export async function readListing({
  source,
  http,
}: {
  readonly source: Source;
  readonly http: Http;
}): Promise<Listing | undefined> {
  const { repository } = source;
  if (!repository) return undefined;
  const { hub, name, revision } = repository;
  const url = `${hub}/api/models/${name}/revision/${encodeURIComponent(revision)}?blobs=true`;
  try {
    const { bytes } = await readWhole(http, url);
    return parseListing(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    const silent = error instanceof HttpError || error instanceof InterruptedError;
    // Without the list, files get other tags, and what is stored would be deleted. A busy hub must
    // not cause that.
    if (isBusy(error) || !(silent || error instanceof SyntaxError)) throw error;
    if (error instanceof HttpError && REFUSALS.includes(error.code)) throw error;
    return undefined;
  }
}

function parseListing(body: { sha?: unknown; siblings?: unknown } | null): Listing | undefined {
  const commit = body?.sha;
  if (typeof commit !== "string" || !Array.isArray(body?.siblings)) return undefined;
  const files = new Map<string, FileTag>();
  for (const { rfilename, blobId, size, lfs } of body.siblings as Record<string, unknown>[]) {
    const sha256 = (lfs as { sha256?: unknown } | undefined)?.sha256;
    files.set(String(rfilename), {
      tag: String(sha256 ?? blobId ?? commit),
      ...(typeof size === "number" && { bytes: size }),
      ...(isSha256(sha256) && { sha256 }),
    });
  }
  return { commit, files };
}

/**
 * Identifies the content of a file by the headers of a response.
 *
 * @param redirected whether another server answered; its ETag need not be the hub's SHA-256
 */
export function fileTag({ repository }: Source, headers: Headers, redirected: boolean): FileTag {
  const bare = (name: string) => headers.get(name)?.replace(/^W\//, "").replaceAll('"', "");
  const total = /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1];
  const linked = bare("x-linked-etag");
  const etag = bare("etag");
  const bytes = total ?? headers.get("x-linked-size") ?? undefined;
  const hash = linked ?? (repository && !redirected ? etag : undefined);
  return {
    tag: linked ?? etag ?? headers.get("last-modified") ?? "unknown",
    ...(bytes !== undefined && { bytes: Number(bytes) }),
    ...(isSha256(hash) && { sha256: hash }),
  };
}

/** Servers of one-page apps answer unknown paths with their HTML page. */
function isPage(headers: Headers): boolean {
  return headers.get("content-type")?.startsWith("text/html") ?? false;
}

function isSha256(text: unknown): text is string {
  return typeof text === "string" && /^[0-9a-f]{64}$/.test(text);
}
