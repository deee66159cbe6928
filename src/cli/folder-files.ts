import { open, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Folder, type FileTag, NEEDED_FILES, type TaggedBytes } from "../weights/folder.ts";

/**
 * The files of a folder on this machine, and of the folders in it.
 *
 * @param id default: the folder's name
 * @throws Error when the folder can't be read
 */
export async function folderFiles(folder: string, id: string = basename(folder)): Promise<Folder> {
  const missing = (name: string) => new Error(`${folder} has no ${name}; it needs ${NEEDED_FILES}`);
  const files = await listFolder(folder);
  const read = async (name: string, begin = 0, end = Infinity): Promise<TaggedBytes> => {
    if (!files.has(name)) throw missing(name);
    const file = await open(join(folder, name));
    try {
      const { size, mtimeMs } = await file.stat();
      const content = new Uint8Array(Math.min(end, size) - begin);
      let filled = 0;
      while (filled < content.length) {
        const { bytesRead } = await file.read(content, filled, undefined, begin + filled);
        if (bytesRead === 0)
          throw new Error(`${join(folder, name)} ended at byte ${begin + filled}`);
        filled += bytesRead;
      }
      return { ...tagOf(size, mtimeMs), content };
    } finally {
      await file.close();
    }
  };
  return { id, listing: { files }, read: (name) => read(name), readRange: read, missing };
}

async function listFolder(folder: string): Promise<Map<string, FileTag>> {
  const files = new Map<string, FileTag>();
  const add = async (name: string, depth: number): Promise<void> => {
    const path = join(folder, name);
    // Undefined for a link whose target is gone.
    const stats = await stat(path).catch(() => undefined);
    if (stats?.isFile()) files.set(name, tagOf(stats.size, stats.mtimeMs));
    if (!stats?.isDirectory() || depth > 1) return;
    const names = await readdir(path).catch(() => []);
    await Promise.all(names.map((inner) => add(`${name}/${inner}`, depth + 1)));
  };
  await Promise.all((await readdir(folder)).map((name) => add(name, 1)));
  return files;
}

function tagOf(size: number, mtimeMs: number): FileTag {
  return { tag: `${size}-${mtimeMs}`, bytes: size };
}
