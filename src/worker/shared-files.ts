/** https://github.com/WICG/cross-origin-storage, as far as it is used. No browser has it yet. */
interface CrossOriginStorage {
  /** Rejects with NotFoundError, NotAllowedError and others. */
  requestFileHandle(
    hash: { readonly algorithm: "SHA-256"; readonly value: string },
    options?: { readonly create: true; readonly origins?: "*" },
  ): Promise<FileSystemFileHandle>;
}

const storage = () =>
  (navigator as Navigator & { readonly crossOriginStorage: CrossOriginStorage }).crossOriginStorage;
const hashOf = (value: string) => ({ algorithm: "SHA-256", value }) as const;

/** @returns the file of this SHA-256 that some site has stored; undefined where there is none */
export async function findShared(sha256: string): Promise<Blob | undefined> {
  try {
    return await (await storage().requestFileHandle(hashOf(sha256))).getFile();
  } catch {
    return undefined;
  }
}

/** A file that is written for other sites. Nothing that goes wrong is the caller's concern. */
export interface SharedWriter {
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** @param whole whether all bytes were written, and have the hash */
  end(whole: boolean): Promise<void>;
}

/**
 * @param everyone whether all sites may read the file. Else those of the same site may.
 */
export async function writeShared(sha256: string, everyone: boolean): Promise<SharedWriter> {
  const options = { create: true, ...(everyone && { origins: "*" as const }) } as const;
  let stream = await storage()
    .requestFileHandle(hashOf(sha256), options)
    .then((handle) => handle.createWritable())
    .catch(() => undefined);
  return {
    async write(bytes) {
      await stream?.write(bytes).catch(async () => {
        await stream?.abort().catch(() => {});
        stream = undefined; // The disk is full, for example.
      });
    },
    async end(whole) {
      // The browser compares the hash, too.
      await (whole ? stream?.close() : stream?.abort())?.catch(() => {});
    },
  };
}
