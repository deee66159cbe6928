import { type WeightCache, type WeightFile, fileKey } from "./cache.ts";
import { type Http, HttpError, InterruptedError, download, isBusy, readWhole } from "./http.ts";
import { headerBytes, parseHeader } from "./safetensors.ts";
import { type Source, fileUrl } from "./source.ts";

/** The small files of a checkpoint on a server, and the headers of its weight files. */
export interface Remote {
  readonly commit?: string | undefined;
  readonly files: ReadonlyMap<string, SmallFile>;
  readonly weights: readonly { file: WeightFile; header: Uint8Array<ArrayBuffer> }[];
  /** The file that counts, for tensors that several files have. */
  readonly owners?: Readonly<Record<string, string>> | undefined;
}

interface SmallFile {
  readonly tag: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The further templates that are read, of those that transformers 5 may write beside chat_template.jinja. */
const ADDITIONAL_TEMPLATES = ["default", "tool_use"].map(
  (name) => `additional_chat_templates/${name}.jinja`,
);

export const REQUIRED = ["config.json"];
/** A checkpoint has all files of one of these. */
export const TOKENIZERS = [["tokenizer.json"], ["vocab.json", "merges.txt"]];
export const OPTIONAL = [
  "generation_config.json",
  "preprocessor_config.json",
  "processor_config.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.json",
  "chat_template.jinja",
  ...ADDITIONAL_TEMPLATES,
];
export const SINGLE = "model.safetensors";
export const INDEX = "model.safetensors.index.json";

/** The largest checkpoints have hundreds of shards. */
const MAX_SHARDS = 1000;

/**
 * Reads the small files and the headers of the weight files.
 *
 * @throws HttpError, InterruptedError, Error for a file that is not valid, the signal's reason
 */
export async function openRemote(source: Source, http: Http, cache: WeightCache): Promise<Remote> {
  // Few retries: a request that fails here mostly has a wrong address.
  const folder: Folder = { source, http: { ...http, retries: Math.min(http.retries, 2) }, cache };
  const listing = await readListing(folder);
  if (listing) checkWeights(source.id, listing);
  const listed = { ...folder, listing };
  const weights = openWeights(listed);
  // A wrong address is better explained by the small files, so their error is thrown first.
  weights.catch(() => {});
  const files = await readSmallFiles(listed);
  return { commit: listing?.commit, files, ...(await weights) };
}

interface Folder {
  readonly source: Source;
  readonly http: Http;
  readonly cache: WeightCache;
  readonly listing?: Listing | undefined;
}

/** A hub's list of the files of a revision. */
export interface Listing {
  readonly commit: string;
  readonly files: ReadonlyMap<string, FileTag>;
}

/** @returns undefined when the server is no hub, or gives no list */
export async function readListing({
  source,
  http,
}: Pick<Folder, "source" | "http">): Promise<Listing | undefined> {
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

async function readSmallFiles(folder: Folder): Promise<Map<string, SmallFile>> {
  const files = new Map<string, SmallFile>();
  const read = async (name: string) => {
    const file = await readSmallFile(folder, name);
    if (file) files.set(name, file);
  };
  const [whole = [], parts = []] = TOKENIZERS;
  const first = OPTIONAL.filter((name) => !ADDITIONAL_TEMPLATES.includes(name));
  await Promise.all([...REQUIRED, ...whole, ...first].map(read));
  // Requests for the rest would mostly be in vain.
  if (files.has("chat_template.jinja")) await Promise.all(ADDITIONAL_TEMPLATES.map(read));
  if (whole.every((name) => files.has(name))) return files;
  await Promise.all(parts.map(read));
  if (parts.every((name) => files.has(name))) return files;
  throw new HttpError(fileUrl(folder.source, "tokenizer.json", folder.listing?.commit), 404);
}

/** @returns undefined when an optional file is missing */
async function readSmallFile(
  { source, http, cache, listing }: Folder,
  name: string,
): Promise<SmallFile | undefined> {
  const required = REQUIRED.includes(name);
  const url = fileUrl(source, name, listing?.commit);
  const tag = listing?.files.get(name)?.tag;
  if (listing && !tag && !required) return undefined;
  const kept = tag && (await cache.get(fileKey(source.folder, name, tag)));
  if (kept) return { tag, bytes: kept };
  try {
    const { bytes, headers } = await readWhole(http, url);
    if (isPage(headers)) throw new HttpError(url, 404);
    return { tag: tag ?? fileTag(source, headers, false).tag, bytes };
  } catch (error) {
    if (required || !(error instanceof HttpError) || isBusy(error)) throw error;
    return undefined;
  }
}

async function openWeights(folder: Folder): Promise<Pick<Remote, "weights" | "owners">> {
  const { listing } = folder;
  if (!listing || listing.files.has(SINGLE)) {
    try {
      return { weights: [await openWeightFile(folder, SINGLE)] };
    } catch (error) {
      if (!(error instanceof HttpError) || isBusy(error)) throw error;
    }
  }
  const { source, http } = folder;
  const url = fileUrl(source, INDEX, listing?.commit);
  const { bytes, headers } = await readWhole(http, url);
  if (isPage(headers)) throw new HttpError(url, 404);
  const map = parseIndex(bytes);
  const shards = [...new Set(Object.values(map))].sort();
  const weights = await Promise.all(shards.map((name) => openWeightFile(folder, name)));
  return { weights, owners: ownersOf(weights, map) };
}

/**
 * Throws Error for a repository that has no weights in safetensors, but an adapter or weights in another
 * format.
 */
function checkWeights(id: string, { files }: Listing): void {
  if (files.has(SINGLE) || files.has(INDEX)) return;
  const kinds = /^adapter_config\.json$|\.(gguf|onnx|bin|pth?)$/;
  const other = [...files.keys()].sort().find((name) => kinds.test(name));
  if (!other) return;
  const advice = other.startsWith("adapter_config")
    ? "it is an adapter: merge it into its model, or load that model"
    : `${other} is in another format: load a repository in safetensors`;
  throw new Error(`${id} has neither ${SINGLE} nor ${INDEX}; ${advice}`);
}

/**
 * Finds the tensors that several files have. Those that the index names, but no file has, are not
 * missed before a model asks for them.
 *
 * @returns the file that the index names for each
 */
function ownersOf(
  weights: Remote["weights"],
  map: Readonly<Record<string, string>>,
): Record<string, string> {
  const seen = new Map<string, string>();
  const owners: [string, string][] = [];
  for (const { file, header } of weights) {
    for (const name of parseHeader(file.name, header).tensors.keys()) {
      const owner = seen.has(name) && map[name];
      if (owner) owners.push([name, owner]);
      seen.set(name, file.name);
    }
  }
  return Object.fromEntries(owners);
}

/** @returns the file of each tensor, by the tensor's name */
function parseIndex(bytes: Uint8Array): Readonly<Record<string, string>> {
  let map: unknown;
  try {
    const index = JSON.parse(new TextDecoder().decode(bytes)) as { weight_map?: unknown } | null;
    map = index?.weight_map;
  } catch (cause) {
    throw new Error(`${INDEX} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof map !== "object" || map === null) throw new Error(`${INDEX} has no weight_map`);
  const files = new Set<string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[\w-][\w.-]*\.safetensors$/.test(file)) {
      throw new Error(`${INDEX}: ${tensor} is in ${JSON.stringify(file)}, expected a file name`);
    }
    files.add(file);
  }
  if (files.size === 0 || files.size > MAX_SHARDS) {
    throw new Error(`${INDEX} names ${files.size} files, expected 1 to ${MAX_SHARDS}`);
  }
  return map as Record<string, string>;
}

/** Reads the header of a weight file, and identifies its content. */
async function openWeightFile(
  { source, http, listing }: Folder,
  name: string,
): Promise<Remote["weights"][number]> {
  const url = fileUrl(source, name, listing?.commit);
  let answered: FileTag = { tag: "" };
  const check = (response: Response) => {
    if (isPage(response.headers)) throw new HttpError(url, 404);
    answered = fileTag(source, response.headers, response.redirected);
  };
  const read = async (begin: number, end: number) => {
    const bytes = new Uint8Array(end - begin);
    let position = 0;
    for await (const piece of download(http, url, begin, end, check)) {
      bytes.set(piece, position);
      position += piece.length;
    }
    return bytes;
  };
  const length = await read(0, 8);
  const header = new Uint8Array(headerBytes(name, length));
  header.set(length);
  header.set(await read(8, header.length), 8);
  const { fileBytes } = parseHeader(name, header);
  const { tag, sha256, bytes } = { ...answered, ...listing?.files.get(name) };
  if (bytes !== undefined && bytes !== fileBytes) {
    throw new Error(
      `${name} has ${bytes} bytes, its header says ${fileBytes}: the file is damaged`,
    );
  }
  return { file: { name, tag, bytes: fileBytes, sha256 }, header };
}

interface FileTag {
  readonly tag: string;
  readonly sha256?: string;
  readonly bytes?: number;
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
