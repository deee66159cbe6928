import { statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ggufReader } from "../models/gguf/reader.ts";
import { nodeHash } from "../platform/node-hash.ts";
import { openNodeStore } from "../platform/node-store.ts";
import { withAdvice } from "../weights/advice.ts";
import { STORE } from "../weights/cache.ts";
import { type Checkpoint, type OpenOptions, openCheckpoint } from "../weights/checkpoint.ts";
import { PACKED_FORMATS } from "../weights/formats/packed.ts";
import { isGguf } from "../weights/gguf-names.ts";
import type { Http } from "../weights/http.ts";
import { type OpenFolderOptions, openFolder } from "../weights/open-folder.ts";
import { NO_BYTES, type OnProgress } from "../weights/progress.ts";
import { InterruptedError } from "../weights/retry.ts";
import { type Source, resolveSource } from "../weights/source.ts";
import { folderFiles } from "./folder-files.ts";
import { type HubSource, completeSnapshot, downloadSnapshot, findSnapshot } from "./hub-cache.ts";
import { type HubEnvironment, hubEnvironment } from "./hub-environment.ts";

/** The sample model of a clone, relative to both `src/cli` and `dist/cli`. The npm package has none. */
const SAMPLE = "../../public/models/sample";

export interface OpenModelOptions extends Pick<
  OpenOptions,
  "signal" | "onProgress" | "retryDelayMs"
> {
  /** Whether to download weights that are not on this machine. Default true. */
  readonly weights?: boolean;
  /** Asks the hub whether the revision has changed, and downloads what has. Default false. */
  readonly refresh?: boolean;
  /** Called while weights are downloaded into the Python client's cache. */
  readonly onDownload?: OnProgress;
  readonly environment?: HubEnvironment;
}

/**
 * Opens a checkpoint for the command: a local folder, the URL of a folder, or a repository of the hub.
 * A repository is read from the Python client's cache, and downloaded into it first if necessary.
 *
 * @param model undefined means the sample model
 * @throws Error for a model that can't be opened, InterruptedError, or the signal's reason
 */
export async function openModel(
  model: string | undefined,
  options: OpenModelOptions = {},
): Promise<Checkpoint> {
  const { signal, onProgress, retryDelayMs, environment = hubEnvironment() } = options;
  const source = locate(model, environment);
  const local = source.folder.startsWith("file:");
  const folder = isOnHub(source)
    ? await snapshotOf(source, options, environment)
    : local && fileURLToPath(source.folder);
  const opening = { signal, onProgress, packedFormats, gguf: async () => ggufReader };
  if (folder) {
    const files = await folderFiles(folder, source.id);
    // The Python client's cache stays as it is. Folders of the user's own are read in place.
    const packed = local || options.weights === false ? undefined : packedStoreOf(folder);
    return openFolder(files, { ...opening, packed }, source.gguf);
  }
  // A hub that reveals no commits is read like any folder on a server.
  return openCheckpoint(source, {
    store: options.weights === false ? undefined : openNodeStore(STORE),
    token: environment.token,
    hash: nodeHash,
    ...opening,
    revalidate: options.refresh,
    ...(retryDelayMs !== undefined && { retryDelayMs }),
  });
}

/**
 * @returns the id that a model will have once it is opened
 * @throws Error for a name that can't be a model
 */
export function modelId(model: string | undefined, environment = hubEnvironment()): string {
  return locate(model, environment).id;
}

/** An existing folder takes precedence over a repository of the same name, as in transformers. */
function locate(named: string | undefined, { hub }: HubEnvironment): Source {
  const model = named ?? fileURLToPath(new URL(SAMPLE, import.meta.url));
  const path = model.startsWith("file:") ? fileURLToPath(model) : resolve(model);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory() || (stats && isGguf(path))) return folderOf(path);
  if (named === undefined) {
    throw new Error(
      "Name a model, for example --model HuggingFaceTB/SmolVLM2-256M-Video-Instruct. " +
        "The sample model is in WebVLM's repository, not in its npm package.",
    );
  }
  if (model.startsWith("file:") || /^(\/|\.\.?([\\/]|$)|~|[a-z]:[\\/])/i.test(model)) {
    throw new Error(`The ${isGguf(path) ? "file" : "folder"} ${path} does not exist.`);
  }
  return resolveSource(model, { hub });
}

function folderOf(path: string): Source {
  const { pathname } = pathToFileURL(path);
  return resolveSource(pathname, { base: "file:///" });
}

function isOnHub(source: Source): source is HubSource {
  return source.repository !== undefined;
}

/** @returns the local folder of a repository; undefined if it must be read over the network */
async function snapshotOf(
  source: HubSource,
  { weights, refresh, signal, onDownload, retryDelayMs = 500 }: OpenModelOptions,
  { cache, token, offline }: HubEnvironment,
): Promise<string | undefined> {
  const found = await findSnapshot(cache, source);
  if ((found?.complete && !refresh) || (found && offline)) return found.folder;
  if (offline) {
    throw new Error(`${source.id} is not in ${cache}, and HF_HUB_OFFLINE forbids downloading it.`);
  }
  if (weights === false) return found?.folder;
  const http: Http = {
    ...{ fetch: globalThis.fetch, token, signal },
    ...{ retries: 10, retryDelayMs, stallMs: 60_000 },
    onWait: (wait) =>
      wait && onDownload?.({ ...NO_BYTES, stage: "waiting", waitSeconds: wait.seconds }),
  };
  try {
    if (found && !refresh && (await completeSnapshot(cache, source, http))) return found.folder;
    return await downloadSnapshot(cache, source, http, onDownload);
  } catch (error) {
    // Without the network, the incomplete snapshot is used.
    if (found && error instanceof InterruptedError) return found.folder;
    throw withAdvice(source, error);
  }
}

/** @returns where the packed weights of a snapshot are stored */
function packedStoreOf(snapshot: string): OpenFolderOptions["packed"] {
  return {
    store: openNodeStore(STORE),
    folder: `${pathToFileURL(snapshot)}/`,
    commit: basename(snapshot),
    keepsFiles: true,
  };
}

const packedFormats = async () => PACKED_FORMATS;
