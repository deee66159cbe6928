import { openStore } from "../platform/store.ts";
import { STORE } from "../weights/cache.ts";
import {
  type StoredCheckpoint,
  deleteAllStored,
  deleteStored,
  listStored,
} from "../weights/stored-checkpoints.ts";
import type { StorageUse } from "./storage-use.ts";

/** See `storedModels`. */
export async function listModels(): Promise<StoredCheckpoint[]> {
  const store = openStore(STORE);
  return store ? listStored(store) : [];
}

/** See `deleteStoredModel`. */
export async function deleteModel(id: string): Promise<void> {
  const store = openStore(STORE);
  if (store) await deleteStored(store, id);
}

/** See `deleteStoredModels`. */
export async function deleteModels(): Promise<void> {
  const store = openStore(STORE);
  if (store) await deleteAllStored(store);
}

/** See `storageUse`. Some browsers refuse to answer in private windows, and to insecure pages. */
export async function useOfStorage(): Promise<StorageUse> {
  const storage = navigator.storage as StorageManager | undefined;
  const estimate = await storage?.estimate().catch(() => undefined);
  const persisted = (await storage?.persisted?.().catch(() => false)) ?? false;
  return { usedBytes: estimate?.usage, quotaBytes: estimate?.quota, persisted };
}

/** See `persistStorage`. */
export async function persist(): Promise<boolean> {
  const storage = navigator.storage as StorageManager | undefined;
  return (await storage?.persist?.().catch(() => false)) ?? false;
}
