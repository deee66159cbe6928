import { ggufTag, ggufTags, isGguf, isMmproj, shardsOf } from "../gguf-names.ts";
import type { GgufChoice } from "../source.ts";

/** How the matrices of an mmproj file may be stored, the preferred one first: llama.cpp's own is F16. */
const MMPROJ_TAGS = ["F16", "BF16", "Q8_0", "F32"];

/**
 * Chooses the files of a model in a repository: those of the decoder, and the mmproj file with its
 * vision tower.
 *
 * @param id for errors
 * @param files all files of the repository
 * @throws Error that lists what there is, when no file or more than one is meant, or there is no mmproj
 */
export function chooseFiles(
  id: string,
  { tag, file }: GgufChoice,
  files: readonly string[],
): string[] {
  const all = files.filter(isGguf).sort();
  const models = all.filter((name) => !isMmproj(name));
  const isMeant = (name: string) =>
    file === undefined ? ggufTag(name) === tag?.toUpperCase() : name === file;
  // Shards count as one file.
  const meant = models.filter((name) => isMeant(name) && shardsOf(name)[0] === name);
  const [model] = file !== undefined && files.includes(file) ? [file] : meant;
  if (model === undefined) {
    const tags = ggufTags(models);
    throw new Error(
      `${id}: no GGUF file of the repository is meant, it has ` +
        (tags.length > 0
          ? `the tags ${tags.join(", ")}`
          : `the files ${models.join(", ") || "none"}`),
    );
  }
  if (meant.length > 1) {
    throw new Error(`${id}: the tag means several files, name one of them: ${meant.join(", ")}`);
  }
  const shards = shardsOf(model);
  const missing = shards.find((name) => !files.includes(name));
  if (missing) throw new Error(`${id}: the repository lacks ${missing}`);
  return [...shards, chooseMmproj(id, model, all.filter(isMmproj))];
}

/**
 * @param all the mmproj files
 * @returns the one of the same model, where the repository has several models, with the preferred type
 */
function chooseMmproj(id: string, model: string, all: readonly string[]): string {
  const folder = (name: string) => name.slice(0, name.lastIndexOf("/") + 1);
  const near = all.filter((name) => folder(name) === folder(model));
  const ofModel = (near.length > 0 ? near : all).filter((name) => isNamedAlike(name, model));
  const candidates = ofModel.length > 0 ? ofModel : near.length > 0 ? near : all;
  const rank = (name: string) => {
    const at = MMPROJ_TAGS.indexOf(ggufTag(name) ?? "");
    return at < 0 ? MMPROJ_TAGS.length : at;
  };
  const [best] = [...candidates].sort((a, b) => rank(a) - rank(b));
  if (best !== undefined) return best;
  throw new Error(`${id}: the repository has no mmproj file, which holds the vision tower`);
}

/** Whether an mmproj file has the name of a model without its tag. */
function isNamedAlike(mmproj: string, model: string): boolean {
  const stem = stemOf(model).toLowerCase();
  return stem !== "" && mmproj.toLowerCase().includes(stem);
}

/** @returns a file's name without folder, tag, shard and ending */
function stemOf(file: string): string {
  const name = file.split("/").at(-1) ?? "";
  const tag = ggufTag(name);
  const end = tag === undefined ? -1 : name.toUpperCase().lastIndexOf(tag);
  return (end < 0 ? name.replace(/\.gguf$/i, "") : name.slice(0, end)).replace(/[-_.]+$/, "");
}

/**
 * The names that the mmproj file of a model may have, where its server has no list of files: those that
 * llama.cpp's converter and the publishers on the hub give.
 */
export function mmprojGuesses(model: string): string[] {
  const folder = model.slice(0, model.lastIndexOf("/") + 1);
  const stem = stemOf(model);
  const types = ["F16", "f16", "BF16", "Q8_0", "F32"];
  const named = types.flatMap((type) => [
    `mmproj-${stem}-${type}.gguf`,
    `${stem}-mmproj-${type}.gguf`,
  ]);
  const plain = ["mmproj-model-f16.gguf", ...types.map((type) => `mmproj-${type}.gguf`)];
  return [...named, `mmproj-${stem}.gguf`, ...plain, "mmproj.gguf"].map((name) => folder + name);
}
