import type { Platform } from "../platform/platform.ts";
import { type LocalFolder, blobFiles } from "../weights/blob-files.ts";
import { STORE } from "../weights/cache.ts";
import { type Checkpoint, type OpenOptions, openCheckpoint } from "../weights/checkpoint.ts";
import { openFolder } from "../weights/open-folder.ts";
import { resolveSource } from "../weights/source.ts";
import type { SourceOptions } from "./options.ts";

/**
 * Opens a checkpoint by the name or address that a user gave, or a folder that a user chose. Its small
 * files are read; its weights are not.
 *
 * @throws as `resolveSource` and `openCheckpoint` do
 */
export async function openSource(
  source: string | LocalFolder,
  { base, hub, token, cache, refresh }: SourceOptions,
  platform: Platform,
  options: Pick<
    OpenOptions,
    "onProgress" | "signal" | "hash" | "findShared" | "packedFormats" | "gguf"
  > = {},
): Promise<Checkpoint> {
  if (typeof source !== "string") return openFolder(blobFiles(source), options);
  const store = platform.openStore(STORE);
  return openCheckpoint(resolveSource(source, { base, hub }), {
    ...options,
    store,
    cache,
    token,
    revalidate: refresh,
  });
}
