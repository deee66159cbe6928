import type { ByteStore } from "../platform/platform.ts";
import { withAdvice } from "./advice.ts";
import {
  type WeightCache,
  type Manifest,
  dropStale,
  fileKey,
  openCache,
  readManifest,
  usedKey,
  writeManifest,
} from "./cache.ts";
import type { ElementType, WeightFormat } from "./format.ts";
import type { Http } from "./http.ts";
import { type PackedStore, packedStore, streamPacked } from "./packed-store.ts";
import { NO_BYTES, type OnProgress } from "./progress.ts";
import type { GgufHeaders, OpenedGguf } from "./read-files.ts";
import { openRemote } from "./remote.ts";
import { InterruptedError, type Wait } from "./retry.ts";
import { type TensorInfo, parseHeader } from "./safetensors.ts";
import type { GgufChoice, Source } from "./source.ts";
import {
  type NetworkOptions,
  type StreamWeightsOptions,
  httpOf,
  streamWeights,
} from "./stream-weights.ts";
import type { Piece } from "./weight-file.ts";

export interface OpenOptions extends NetworkOptions {
  /** Where files are stored between loads. */
  readonly store?: ByteStore | undefined;
  /** False neither reads nor writes the store. Default true. */
  readonly cache?: boolean | undefined;
  /**
   * Asks the server, if it can be reached, whether a checkpoint has changed that is stored
   * completely. By default such a checkpoint is opened without the network.
   */
  readonly revalidate?: boolean | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Loads the formats of quantized checkpoints. It is called for such a checkpoint only. */
  readonly packedFormats?: (() => Promise<readonly WeightFormat[]>) | undefined;
  /** Loads the reader of GGUF files. It is called for a source that means one. */
  readonly gguf?: (() => Promise<GgufReader>) | undefined;
}

/** Reads GGUF files as a checkpoint in Hugging Face's layout. */
export interface GgufReader extends GgufHeaders {
  /**
   * Reads what comes before the tensors as config, tokenizer, chat template and names of tensors.
   *
   * @param headers by file name
   * @throws Error that names what is missing or not supported
   */
  parse(
    id: string,
    headers: ReadonlyMap<string, Uint8Array>,
  ): Pick<Checkpoint, "files" | "tensors" | "formats" | "stacked" | "elements">;
}

/** A checkpoint whose small files are read, and whose weights can be streamed. */
export interface Checkpoint {
  readonly id: string;
  /** Parsed JSON by file name; a file of another kind, such as chat_template.jinja, is a string. */
  readonly files: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The packed formats that matrices may be stored in. Only a quantized checkpoint has them. */
  readonly formats?: readonly WeightFormat[] | undefined;
  /**
   * Undefined for a checkpoint that is not stored. Else false once bytes could not be stored, because
   * the disk is full, for example: the next load needs the network again.
   */
  readonly storing?: () => boolean;
  /** Where weights are stored as they lie on the GPU. Undefined where they are not stored so. */
  readonly packed?: PackedStore | undefined;
  /** The tensors that a model's tensor is stacked of by rows, where the files have them apart. */
  readonly stacked?: ReadonlyMap<string, readonly string[]> | undefined;
  /** How tensors are read as numbers. Default: as their `dtype` says. */
  readonly elements?: ReadonlyMap<string, ElementType> | undefined;
  /** Bytes of all tensors. */
  readonly weightBytes: number;
  /**
   * Reads the weight files, one after another, from the store or the network. Bytes from the
   * network are stored as they arrive.
   *
   * @throws the signal's reason; InterruptedError when the network fails and retries do not help;
   *   ChangedError when a file changed on the server or is damaged; StorageFullError before the first
   *   byte, when the disk has too little room
   */
  stream(options?: StreamWeightsOptions): AsyncGenerator<Piece, void, void>;
}

/**
 * Opens a checkpoint in Hugging Face's layout: from the store if an earlier load completed, else
 * from its server.
 *
 * @throws Error when there is no checkpoint, when it is gated, or when a file of it is not valid
 * @throws InterruptedError when the network fails; the signal's reason
 */
export async function openCheckpoint(
  source: Source,
  options: OpenOptions = {},
): Promise<Checkpoint> {
  const { onProgress } = options;
  const gguf = await openGguf(source.gguf, options);
  const onWait = (wait?: Wait) =>
    onProgress?.({ ...NO_BYTES, stage: wait ? "waiting" : "files", waitSeconds: wait?.seconds });
  onWait();
  const store = options.cache === false ? undefined : options.store;
  const cache = openCache(store);
  const http = httpOf(source, { ...options, onWait });
  const manifest = await readManifest(cache, source.folder);
  const kept = manifest && (await openKept(manifest, cache));
  let opened = kept;
  if (!kept?.manifest.complete || options.revalidate || kept.manifest.version === 1) {
    try {
      opened = await openFresh(source, http, cache, manifest, gguf);
    } catch (error) {
      // Offline, the stored checkpoint is used. Its packed weights may be all that is needed.
      if (!kept || !(error instanceof InterruptedError)) throw withAdvice(source, error);
    }
  }
  http.signal?.throwIfAborted();
  const now = new TextEncoder().encode(`${Date.now()}`) as Uint8Array<ArrayBuffer>;
  // On a full disk, what is stored already still counts as stored.
  await store?.set(usedKey(source.folder), now).catch(() => {});
  return withPackedFormats(checkpointOf(source, opened as Opened, cache, options, gguf), options);
}

/**
 * @returns undefined for a checkpoint in safetensors
 * @throws Error when `options` has no reader
 */
export async function openGguf(
  choice: GgufChoice | undefined,
  { gguf }: Pick<OpenOptions, "gguf">,
): Promise<(GgufReader & OpenedGguf) | undefined> {
  if (!choice) return undefined;
  if (!gguf) throw new Error("openGguf: options.gguf is missing");
  return { ...(await gguf()), choice };
}

/** Adds the formats that matrices may be stored in, if the checkpoint is quantized. */
export async function withPackedFormats(
  checkpoint: Checkpoint,
  { packedFormats }: Pick<OpenOptions, "packedFormats">,
): Promise<Checkpoint> {
  if (!isQuantized(checkpoint.files)) return checkpoint;
  return { ...checkpoint, formats: await packedFormats?.() };
}

/** @returns whether config.json says that the weights are quantized */
function isQuantized({ "config.json": config }: Checkpoint["files"]): boolean {
  const { quantization, quantization_config } = (config ?? {}) as Record<string, unknown>;
  return Boolean(quantization ?? quantization_config);
}

/** The small files of a checkpoint, and the headers of its weight files. */
interface Opened {
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  readonly headers: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

async function openKept(manifest: Manifest, cache: WeightCache): Promise<Opened | undefined> {
  const { folder, weights } = manifest;
  const readAll = async (entries: readonly (readonly [name: string, tag: string])[]) => {
    const read = entries.map(
      async ([name, tag]) => [name, await cache.get(fileKey(folder, name, tag))] as const,
    );
    const found = (await Promise.all(read)).filter(([, bytes]) => bytes !== undefined);
    return found.length === entries.length
      ? new Map(found as [string, Uint8Array<ArrayBuffer>][])
      : undefined;
  };
  const files = await readAll(Object.entries(manifest.files));
  const headers = await readAll(weights.map(({ name, tag }) => [name, tag]));
  return files && headers ? { manifest, files, headers } : undefined;
}

async function openFresh(
  source: Source,
  http: Http,
  cache: WeightCache,
  before: Manifest | undefined,
  gguf: OpenedGguf | undefined,
): Promise<Opened> {
  const { id, folder } = source;
  const remote = await openRemote(source, http, cache, gguf);
  const files = Object.fromEntries([...remote.files].map(([name, { tag }]) => [name, tag]));
  const weights = remote.weights.map(({ file }) => file);
  const unchanged = JSON.stringify(weights) === JSON.stringify(before?.weights);
  const manifest: Manifest = {
    version: 2,
    id,
    folder,
    commit: remote.commit,
    files,
    weights,
    owners: remote.owners,
    neededBytes: unchanged ? before?.neededBytes : undefined,
    complete: unchanged && before?.complete === true,
  };
  for (const [name, { tag, bytes }] of remote.files) {
    await cache.set(fileKey(folder, name, tag), bytes);
  }
  for (const { file, header } of remote.weights) {
    await cache.set(fileKey(folder, file.name, file.tag), header);
  }
  await writeManifest(cache, manifest);
  await dropStale(cache, manifest);
  return {
    manifest,
    files: new Map([...remote.files].map(([name, { bytes }]) => [name, bytes])),
    headers: new Map(remote.weights.map(({ file, header }) => [file.name, header])),
  };
}

function checkpointOf(
  source: Source,
  { manifest, files, headers }: Opened,
  cache: WeightCache,
  options: OpenOptions,
  gguf: GgufReader | undefined,
): Checkpoint {
  const isStored = options.store !== undefined && options.cache !== false;
  const isVerified = async () => {
    const { weights, complete } = (await readManifest(cache, manifest.folder)) ?? {};
    return complete === true && JSON.stringify(weights) === JSON.stringify(manifest.weights);
  };
  const { chunkBytes } = options;
  const packed = isStored ? packedStore(cache, manifest, { isVerified, chunkBytes }) : undefined;
  return {
    ...parseCheckpoint(source.id, { files, headers, owners: manifest.owners }, gguf),
    ...(isStored && { storing: () => cache.works }),
    packed,
    stream({ signal = options.signal, ...more } = {}) {
      const own: Checkpoint["stream"] = (rest) =>
        streamWeights(source, manifest, cache, { ...options, ...rest });
      return streamPacked(packed, own, { signal, ...more });
    },
  };
}

/**
 * Parses the small files of a checkpoint and the headers of its weight files, both by file name.
 *
 * @throws Error for a file that is not valid, or a tensor that is in two files of which none counts
 */
export function parseCheckpoint(
  id: string,
  { files, headers, owners }: Pick<Opened, "files" | "headers"> & Pick<Manifest, "owners">,
  gguf?: GgufReader,
): Omit<Checkpoint, "stream"> {
  if (gguf) {
    const parsed = gguf.parse(id, headers);
    return { id, ...parsed, weightBytes: totalBytes(parsed.tensors) };
  }
  const tensors = new Map<string, TensorInfo>();
  for (const [file, header] of headers) {
    for (const [name, info] of parseHeader(file, header).tensors) {
      const owner = owners?.[name];
      const other = tensors.get(name);
      if (other && !owner) throw new Error(`${id}: ${name} is in ${other.file} and in ${file}`);
      if (!owner || owner === file) tensors.set(name, info);
    }
  }
  return {
    id,
    files: Object.fromEntries([...files].map(([name, bytes]) => [name, parseFile(name, bytes)])),
    tensors,
    weightBytes: totalBytes(tensors),
  };
}

function totalBytes(tensors: Checkpoint["tensors"]): number {
  let bytes = 0;
  for (const { begin, end } of tensors.values()) bytes += end - begin;
  return bytes;
}

function parseFile(name: string, bytes: Uint8Array): unknown {
  const text = new TextDecoder().decode(bytes);
  if (!name.endsWith(".json")) return text;
  try {
    return JSON.parse(text);
  } catch (cause) {
    try {
      return parsePythonJson(text);
    } catch {
      throw new Error(`${name} is not JSON: ${(cause as Error).message}`, { cause });
    }
  }
}

/** Parses what Python writes, which is JSON with three more numbers. Throws SyntaxError. */
function parsePythonJson(text: string): unknown {
  const nan = "\0NaN";
  const numbers: Readonly<Record<string, string>> = {
    Infinity: "1e999",
    "-Infinity": "-1e999",
    NaN: JSON.stringify(nan),
  };
  const json = text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (part) => numbers[part] ?? part);
  return JSON.parse(json, (_, value) => (value === nan ? NaN : value) as unknown);
}
