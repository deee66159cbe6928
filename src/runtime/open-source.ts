import type { Platform } from "../platform/platform.ts";
import { STORE } from "../weights/cache.ts";
import { type Checkpoint, type OpenOptions, openCheckpoint } from "../weights/checkpoint.ts";
import { resolveSource } from "../weights/source.ts";
import type { SourceOptions } from "./options.ts";

/**
 * Opens a checkpoint by the name or address that a user gave. Its small files are read; its weights
 * are not.
 *
 * @throws as `resolveSource` and `openCheckpoint` do
 */
export async function openSource(
  source: string,
  { base, hub, token, cache }: SourceOptions,
  platform: Platform,
  options: Pick<OpenOptions, "onProgress" | "signal" | "packedFormats"> = {},
): Promise<Checkpoint> {
  const store = platform.openStore(STORE);
  return openCheckpoint(resolveSource(source, { base, hub }), { ...options, store, cache, token });
}
