import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ByteStore } from "./platform.ts";

/** Where a user's programs keep what they can get again. */
export function cacheHome(): string {
  return process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
}

/** File systems take names of 255 bytes. */
const NAME_LENGTH = 200;

/**
 * Bytes in a folder, a file a key, kept between runs.
 *
 * @param name of a folder in the user's cache folder
 */
export function openStore(name: string): ByteStore {
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
      // Whoever reads at the same time finds all of it, or what was there before.
      const partial = `${path}.${process.pid}~`;
      await writeFile(partial, bytes);
      await rename(partial, path);
    },
    async delete(keys) {
      await Promise.all(keys.map((key) => rm(pathOf(folder, key), { force: true })));
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

/** Ends the name of what is whole; in keys it is escaped. */
const END = "=";

/** A long key becomes nested folders, each part as long as a name may be. */
function pathOf(folder: string, key: string): string {
  const name = encodeURIComponent(key).replaceAll("*", "%2A") + END;
  const parts = name.match(new RegExp(`.{1,${NAME_LENGTH}}`, "g")) as string[];
  return join(folder, ...parts.map((part) => part.replace(/^\./, "%2E")));
}

function keyOf(path: string): string {
  return decodeURIComponent(path.split(/[\\/]/).join("").slice(0, -END.length));
}
