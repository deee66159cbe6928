import { openStore } from "../platform/store.ts";
import { STORE, deleteCached, listCached } from "../weights/cache.ts";

/** A model whose files, or some of them, are stored on this device. */
export interface StoredModel {
  /** `org/name` of a hub's repository, else the folder's name: the `id` of the loaded model. */
  readonly id: string;
  /** The URL that its files come from. */
  readonly folder: string;
  /** Bytes of its weights that are stored. */
  readonly storedBytes: number;
  /** Bytes of all its weights. `load` downloads the difference. */
  readonly totalBytes: number;
}

/**
 * Lists the models that are stored on this device for this page's origin.
 *
 * @returns an empty list where the browser stores nothing
 */
export async function storedModels(): Promise<StoredModel[]> {
  const store = openStore(STORE);
  return store ? listCached(store) : [];
}

/**
 * Deletes the stored files of a model. A loaded model is not affected.
 *
 * @param id the `id` of a stored model; models of several folders may share it, and all are deleted
 */
export async function deleteStoredModel(id: string): Promise<void> {
  const store = openStore(STORE);
  if (store) await deleteCached(store, id);
}
