/** What the DOM's types lack, because only workers have it. */
interface SyncHandle {
  read(bytes: Uint8Array): number;
  write(bytes: Uint8Array): number;
  getSize(): number;
  flush(): void;
  close(): void;
}
type WorkerFile = FileSystemFileHandle & {
  createSyncAccessHandle?(options?: { readonly mode: string }): Promise<SyncHandle>;
};

/** Files of the origin's private file system. They are never changed once they are written. */
export interface OriginFiles {
  /**
   * Writes a new file.
   *
   * @returns its name
   * @throws QuotaExceededError when there is too little room; nothing is left then
   */
  write(bytes: Uint8Array): Promise<string>;
  /** @returns undefined when there is no such file */
  read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  delete(names: readonly string[]): Promise<void>;
  /** Deletes files that were written by a worker which was killed before their names were kept. */
  deleteOthers(kept: ReadonlySet<string>): Promise<void>;
}

/** A younger file may be another tab's, whose name is not kept yet. */
const ORPHAN_MS = 60 * 60 * 1000;

/**
 * Opens a folder of the origin's private file system.
 *
 * @returns undefined where there is none, as in private windows of some browsers
 */
export async function openOriginFiles(folder: string): Promise<OriginFiles | undefined> {
  let root: FileSystemDirectoryHandle;
  try {
    const all = await navigator.storage.getDirectory();
    root = await all.getDirectoryHandle(folder, { create: true });
  } catch {
    return undefined;
  }
  const remove = (name: string) => root.removeEntry(name).catch(() => {});

  return {
    async write(bytes) {
      const name = `${Date.now()}-${crypto.randomUUID()}`;
      const file: WorkerFile = await root.getFileHandle(name, { create: true });
      let written = 0;
      try {
        const handle = (await file.createSyncAccessHandle?.()) as SyncHandle;
        try {
          written = handle.write(bytes);
          handle.flush();
        } finally {
          handle.close();
        }
        if (written < bytes.length) {
          throw new DOMException(`wrote ${written} of ${bytes.length}`, "QuotaExceededError");
        }
        return name;
      } catch (error) {
        await remove(name);
        throw error;
      }
    },

    async read(name) {
      let file: WorkerFile;
      try {
        file = await root.getFileHandle(name);
      } catch {
        return undefined;
      }
      try {
        const handle = (await file.createSyncAccessHandle?.({ mode: "read-only" })) as SyncHandle;
        try {
          const bytes = new Uint8Array(handle.getSize());
          return bytes.subarray(0, handle.read(bytes));
        } finally {
          handle.close();
        }
      } catch {
        // Not in a worker, or another one is reading in a browser without the mode.
        return new Uint8Array(await (await file.getFile()).arrayBuffer());
      }
    },

    async delete(names) {
      await Promise.all(names.map(remove));
    },

    async deleteOthers(kept) {
      const old = Date.now() - ORPHAN_MS;
      const names = (root as unknown as { keys(): AsyncIterable<string> }).keys();
      for await (const name of names) {
        if (!kept.has(name) && parseInt(name) < old) await remove(name);
      }
    },
  };
}

/** @returns whether this place can write such files: workers of current browsers can */
export function canWriteOriginFiles(): boolean {
  const { FileSystemFileHandle: handle } = globalThis as {
    FileSystemFileHandle?: typeof FileSystemFileHandle;
  };
  return handle !== undefined && "createSyncAccessHandle" in handle.prototype;
}
