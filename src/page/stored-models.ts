import type { StoredCheckpoint } from "../weights/stored-checkpoints.ts";
import type { StorageUse } from "./storage-use.ts";

/** A model whose files, or some of them, are stored on this device. */
export interface StoredModel extends StoredCheckpoint {
  /** `org/name` of a hub's repository, else the folder's name: the `id` of the loaded model. */
  readonly id: string;
  /** The URL that its files come from. */
  readonly folder: string;
  /** Bytes of all its weights. `load` downloads what is missing in `storedBytes`. */
  readonly totalBytes: number;
}

const tasks = () => import("./storage-tasks.ts");

/**
 * Lists the models that are stored on this device for this page's origin, the last used first.
 *
 * @returns an empty list where the browser stores nothing
 */
export async function storedModels(): Promise<StoredModel[]> {
  return (await tasks()).listModels();
}

/**
 * Deletes the stored files of a model, and of no other. A loaded model is not affected.
 *
 * @param id the `id` of a stored model; models of several folders may share it, and all are deleted
 */
export async function deleteStoredModel(id: string): Promise<void> {
  return (await tasks()).deleteModel(id);
}

/** Deletes all stored models. Loaded models are not affected. */
export async function deleteStoredModels(): Promise<void> {
  return (await tasks()).deleteModels();
}

/** @returns how much this page's origin stores, as far as the browser says it */
export async function storageUse(): Promise<StorageUse> {
  return (await tasks()).useOfStorage();
}

/**
 * Asks the browser to keep stored models when the disk is full. It may ask the user, or decide by how
 * often the page is visited.
 *
 * @returns whether it keeps them
 */
export async function persistStorage(): Promise<boolean> {
  return (await tasks()).persist();
}
