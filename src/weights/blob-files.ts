import { type Folder, NEEDED_FILES, type TaggedBytes } from "./folder.ts";

/** A folder on the user's own disk, as a page passes it to its worker. */
export interface LocalFolder {
  /** The folder's name. */
  readonly id: string;
  /** By the path in the folder, such as "config.json". */
  readonly files: ReadonlyMap<string, File>;
}

/** The files of a folder that the user chose. They are read in place. */
export function blobFiles({ id, files }: LocalFolder): Folder {
  const missing = (name: string) =>
    new Error(`${id} has no ${name}: choose the folder of a checkpoint, with ${NEEDED_FILES}`);
  const read = async (name: string, begin = 0, end = Infinity): Promise<TaggedBytes> => {
    const file = files.get(name);
    if (!file) throw missing(name);
    try {
      const content = new Uint8Array(
        await file.slice(begin, Math.min(end, file.size)).arrayBuffer(),
      );
      return { ...tagOf(file), content };
    } catch (cause) {
      // Browsers don't say whether the file is gone, has changed or must not be read any more.
      const { message } = cause as Error;
      throw new Error(`${name} can't be read any more: choose the folder again (${message})`, {
        cause,
      });
    }
  };
  return {
    id,
    listing: { files: new Map(Array.from(files, ([name, file]) => [name, tagOf(file)])) },
    read: (name) => read(name),
    readRange: read,
    missing,
  };
}

function tagOf({ size, lastModified }: File): { tag: string; bytes: number } {
  return { tag: `${size}-${lastModified}`, bytes: size };
}
