import { signal } from "@preact/signals";
import {
  deleteStoredModel,
  deleteStoredModels,
  forgetLocalModel,
  type LocalModel,
  localModels,
  persistStorage,
  storageUse,
  type StorageUse,
  type StoredModel,
  storedModels,
} from "../index.ts";
import { checkDevice } from "./device.ts";
import { say } from "./notice.ts";

/** What this page keeps on the device. */
export interface Storage {
  readonly models: readonly StoredModel[];
  readonly folders: readonly LocalModel[];
  readonly use: StorageUse;
}

/** Undefined before the first check. */
export const storage = signal<Storage | undefined>(undefined);

/** Updates `storage`. */
export async function checkStorage(): Promise<void> {
  const nothing = () => []; // Browsers refuse in private windows.
  const [models, folders, use] = await Promise.all([
    storedModels().catch(nothing),
    localModels().catch(nothing),
    storageUse(),
  ]);
  storage.value = { models, folders, use };
}

/** Makes a change, says if it fails, and shows what is stored then. */
async function change(what: () => Promise<unknown>): Promise<void> {
  try {
    await what();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
  await Promise.all([checkStorage(), checkDevice()]);
}

export const removeModel = (id: string) => change(() => deleteStoredModel(id));
export const removeAll = () => change(deleteStoredModels);
export const forget = (id: string) => change(() => forgetLocalModel(id));

export const keepStored = () =>
  change(async () => {
    if (!(await persistStorage())) say("The browser does not promise to keep them.");
  });
