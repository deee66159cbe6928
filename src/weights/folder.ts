/** Identifies the content of a file. */
export interface FileTag {
  readonly tag: string;
  /** In hexadecimal, if it is known before the file is read. */
  readonly sha256?: string;
  readonly bytes?: number;
  /** Whether a server has sent a range and not the whole file. */
  readonly ranges?: boolean;
}

/** The files of a folder, or of one commit of a repository. */
export interface Listing {
  readonly commit?: string | undefined;
  readonly files: ReadonlyMap<string, FileTag>;
}

/** Bytes of a file, and what identifies the content of the file. */
export interface TaggedBytes extends FileTag {
  readonly content: Uint8Array<ArrayBuffer>;
}

/** The files of a checkpoint, on a server or on the user's own disk. */
export interface Folder {
  /** The repository's name, or the folder's. */
  readonly id: string;
  /** Undefined where the server gives no list, so that only a request tells whether a file exists. */
  readonly listing: Listing | undefined;
  /**
   * Reads a small file.
   *
   * @throws HttpError when the server does not have it, the error of `missing` where there is no server,
   *   InterruptedError, the signal's reason
   */
  read(name: string): Promise<TaggedBytes>;
  /**
   * Reads the bytes `begin ..< end` of a file of any size. Throws as `read` does.
   */
  readRange(name: string, begin: number, end: number): Promise<TaggedBytes>;
  /** @returns an error that says which file is missing, and what to do */
  missing(name: string): Error;
}

/** The files that every checkpoint has, in words. */
export const NEEDED_FILES =
  "config.json, tokenizer.json (or vocab.json and merges.txt) and model.safetensors, or " +
  "model.safetensors.index.json and its files";
