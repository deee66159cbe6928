import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, statfs, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { lockFile } from "./file-lock.ts";
import type { ByteStore } from "./platform.ts";

/** @returns the user's folder for caches */
export function cacheHome(): string {
  return process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
}

/** File systems limit names to 255 bytes. */
const NAME_LENGTH = 200;

/**
 * Opens a store that keeps bytes between runs, in one file per key.
 *
 * @param name a folder in the user's cache folder
 */
export function openNodeStore(name: string): ByteStore {
  const folder = join(cacheHome(), name);
  return {
    async get(key) {
      try {
        const { buffer, byteOffset, length } = await readFile(pathOf(folder, key));
        return new Uint8Array(buffer as ArrayBuffer, byteOffset, length);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },
    async set(key, bytes) {
      const path = pathOf(folder, key);
      await mkdir(join(path, ".."), { recursive: true });
      // A concurrent reader gets either the old file or the complete new one.
      const partial = `${path}.${process.pid}~`;
      await writeFile(partial, bytes);
      await rename(partial, path);
    },
    async delete(keys) {
      await Promise.all(keys.map((key) => rm(pathOf(folder, key), { force: true })));
    },
    freeBytes: () => freeDiskBytes(folder),
    lock(key, options) {
      const file = createHash("sha256").update(key).digest("hex");
      return lockFile(join(folder, LOCKS, file), options);
    },
    async keys() {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
        () => [],
      );
      return entries
        .filter((entry) => entry.isFile() && entry.name.endsWith(END))
        .map(({ parentPath, name }) => keyOf(join(parentPath, name).slice(folder.length + 1)));
    },
  };
}

/** @returns the bytes that the disk of a path has free for this user; the path need not exist yet */
export async function freeDiskBytes(path: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch {
    const parent = dirname(path);
    return parent === path ? undefined : freeDiskBytes(parent);
  }
}

/** The folder of the locks' files. No key's file begins with a dot. */
const LOCKS = ".locks";
/** Ends the name of every complete file. In keys this character is escaped. */
const END = "=";

/** A long key is split into nested folders. */
function pathOf(folder: string, key: string): string {
  const name = encodeURIComponent(key).replaceAll("*", "%2A") + END;
  const parts = name.match(new RegExp(`.{1,${NAME_LENGTH}}`, "g")) as string[];
  return join(folder, ...parts.map((part) => part.replace(/^\./, "%2E")));
}

function keyOf(path: string): string {
  return decodeURIComponent(path.split(/[\\/]/).join("").slice(0, -END.length));
}
