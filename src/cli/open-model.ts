import { statSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { openStore } from "../platform/node-store.ts";
import { STORE } from "../weights/cache.ts";
import {
  type Checkpoint,
  type OpenOptions,
  withAdvice,
  openCheckpoint,
} from "../weights/checkpoint.ts";
import { type Http, InterruptedError } from "../weights/http.ts";
import { type Repository, type Source, resolveSource } from "../weights/source.ts";
import { fetchFile } from "./fetch-file.ts";
import { type OnDownload, downloadSnapshot, findSnapshot } from "./hub-cache.ts";
import { type HubEnvironment, hubEnvironment } from "./hub-environment.ts";

/** The bundled model, seen from `src/cli` as from `dist/cli`. */
const SAMPLE = "../../public/models/sample";

export interface OpenModelOptions extends Pick<
  OpenOptions,
  "signal" | "onProgress" | "retryDelayMs"
> {
  /** Download weights that are not on this machine. Default true. */
  readonly weights?: boolean;
  readonly onDownload?: OnDownload;
  readonly environment?: HubEnvironment;
}

/**
 * Opens a checkpoint for the command line: a folder of this machine, a repository of the hub, in
 * the Python client's cache or else downloaded to it, or the URL of a folder.
 *
 * @param model undefined is the bundled sample
 * @throws Error saying what is wrong with it, InterruptedError, or the signal's reason
 */
export async function openModel(
  model: string | undefined,
  options: OpenModelOptions = {},
): Promise<Checkpoint> {
  const { signal, onProgress, retryDelayMs, environment = hubEnvironment() } = options;
  const source = locate(model, environment);
  if (isHubSource(source)) {
    const snapshot = await snapshotOf(source, options, environment);
    if (snapshot) return openFolder(source.id, snapshot, options);
  }
  const local = source.folder.startsWith("file:");
  return openCheckpoint(source, {
    fetch: fetchFile,
    // A hub that tells no commits is read as any folder is.
    store: local || options.weights === false ? undefined : openStore(STORE),
    token: environment.token,
    signal,
    onProgress,
    ...(retryDelayMs !== undefined && { retryDelayMs }),
  });
}

/**
 * Under which id a model will answer, before it is opened.
 *
 * @throws Error for what can't be a model
 */
export function modelId(model: string | undefined, environment = hubEnvironment()): string {
  return locate(model, environment).id;
}

/** A folder that is there goes before a repository of the same name, as in transformers. */
function locate(named: string | undefined, { hub }: HubEnvironment): Source {
  const model = named ?? fileURLToPath(new URL(SAMPLE, import.meta.url));
  const path = model.startsWith("file:") ? fileURLToPath(model) : resolve(model);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return folderOf(path);
  if (model.startsWith("file:") || /^(\/|\.\.?([\\/]|$)|~|[a-z]:[\\/])/i.test(model)) {
    throw new Error(`There is no folder ${path}.`);
  }
  return resolveSource(model, { hub });
}

function folderOf(path: string): Source {
  const { pathname } = pathToFileURL(path);
  return resolveSource(pathname, { base: "file:///" });
}

type HubSource = Source & { readonly repository: Repository };

function isHubSource(source: Source): source is HubSource {
  return source.repository !== undefined;
}

/** @returns the folder of a repository's files, undefined where they are to be read elsewhere */
async function snapshotOf(
  source: HubSource,
  { weights, signal, onDownload, retryDelayMs = 500 }: OpenModelOptions,
  { cache, token, offline }: HubEnvironment,
): Promise<string | undefined> {
  const found = await findSnapshot(cache, source.repository);
  if (found?.complete || (found && offline)) return found.folder;
  if (offline) {
    throw new Error(`${source.id} is not in ${cache}, and HF_HUB_OFFLINE forbids to download it.`);
  }
  if (weights === false) return found?.folder;
  const http: Http = {
    ...{ fetch: globalThis.fetch, token, signal },
    ...{ retries: 5, retryDelayMs, stallMs: 60_000 },
  };
  try {
    return await downloadSnapshot(cache, source, http, onDownload);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw withAdvice(source, error);
    // Without the network, what is there will have to do.
    if (found) return found.folder;
    const { message } = error;
    throw new InterruptedError(`${message}; what has arrived is kept: start again to go on`);
  }
}

function openFolder(id: string, folder: string, options: OpenModelOptions): Promise<Checkpoint> {
  const { signal, onProgress } = options;
  return openCheckpoint({ ...folderOf(folder), id }, { fetch: fetchFile, signal, onProgress });
}
