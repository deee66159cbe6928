/**
 * A checkpoint on the user's own disk: a directory handle, a directory that was dropped, or files of an
 * `<input type="file">`.
 */
export type LocalSource =
  FileSystemDirectoryHandle | FileSystemDirectoryEntry | FileList | readonly File[];

/** A folder on the user's own disk that a model was loaded from. */
export interface LocalModel {
  /** The folder's name, which is the `id` of the loaded model. */
  readonly id: string;
  /** For `load`, which asks the user to permit reading it again: call it in the handler of a click. */
  readonly handle: FileSystemDirectoryHandle;
  readonly lastUsed: Date;
}

/** What TypeScript doesn't know: only Chromium has it. */
interface HandleItem extends DataTransferItem {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>;
}

/**
 * Finds the directory among what was dropped on the page, for `load`. Call it in the handler of the
 * `drop` event: the browser takes the items away when the handler returns.
 *
 * @returns undefined when no directory was dropped
 */
export async function droppedFolder(
  data: Pick<DataTransfer, "items"> | null,
): Promise<FileSystemDirectoryHandle | FileSystemDirectoryEntry | undefined> {
  const items = [...(data?.items ?? [])].filter(({ kind }) => kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry());
  const at = entries.findIndex((entry) => entry?.isDirectory);
  // A handle can be kept for the next visit, an entry can't.
  const handle = await (items[at] as HandleItem | undefined)
    ?.getAsFileSystemHandle?.()
    .catch(() => null);
  if (handle?.kind === "directory") return handle as FileSystemDirectoryHandle;
  return entries[at] as FileSystemDirectoryEntry | undefined;
}

export function isHandle(source: LocalSource): source is FileSystemDirectoryHandle {
  return "kind" in source && source.kind === "directory";
}
