import type { WeightFile } from "../cache.ts";
import type { Folder } from "../folder.ts";
import { shardsOf } from "../gguf-names.ts";
import { HttpError, isBusy } from "../retry.ts";
import type { GgufChoice } from "../source.ts";
import { chooseFiles, mmprojGuesses } from "./choose-files.ts";
import { type GgufHeader, readGgufHeader } from "./header.ts";
import { ggmlStorage } from "./types.ts";

/** A GGUF file of a checkpoint, and the bytes before its tensors. */
export interface GgufFile {
  readonly file: WeightFile;
  readonly header: Uint8Array<ArrayBuffer>;
}

/**
 * Reads the headers of a model's GGUF files: those of the decoder, and the mmproj file.
 *
 * @throws Error for a file that is missing, damaged or of an unsupported type, and what `folder` throws
 */
export async function readGgufHeaders(folder: Folder, choice: GgufChoice): Promise<GgufFile[]> {
  const { id, listing } = folder;
  const names = listing
    ? chooseFiles(id, choice, [...listing.files.keys()])
    : await unlistedFiles(folder, choice);
  return Promise.all(names.map((name) => readFile(folder, name)));
}

async function readFile(folder: Folder, name: string): Promise<GgufFile> {
  // The first answer tells how long the file is, so that no more is asked for.
  const first = await folder.readRange(name, 0, 8);
  let { bytes } = first;
  const read = async (begin: number, end: number) => {
    const range = await folder.readRange(name, begin, Math.min(end, bytes ?? end));
    return range.content;
  };
  const { header, bytes: content } = await readGgufHeader(name, read);
  const end = dataEnd(name, header);
  bytes ??= end;
  if (bytes < end) {
    throw new Error(`${name} has ${bytes} bytes, its header says ${end}: the file is damaged`);
  }
  const { tag, sha256 } = first;
  return { file: { name, tag, bytes, sha256 }, header: content };
}

/** @returns where the last tensor ends */
function dataEnd(file: string, { tensors, bytes }: GgufHeader): number {
  const ends = tensors.map(({ name, type, shape, begin }) => {
    const { values, bytes } = ggmlStorage(type, `${file}: ${name}`);
    return begin + shape.reduce((product, size) => product * size, bytes / values);
  });
  return Math.max(bytes, ...ends);
}

/** The files on a server that has no list of them. */
async function unlistedFiles(folder: Folder, { file = "", mmproj }: GgufChoice): Promise<string[]> {
  const guesses = mmproj === undefined ? mmprojGuesses(file) : [mmproj];
  for (const name of guesses) {
    try {
      await folder.readRange(name, 0, 8);
      return [...shardsOf(file), name];
    } catch (error) {
      if (!(error instanceof HttpError) || isBusy(error)) throw error;
    }
  }
  throw new Error(
    `${folder.id}: no file with the vision tower is next to ${file}; tried ${guesses.join(", ")}`,
  );
}
