/** The end of a file's name that says how its matrices are stored, as llama.cpp and its users write it. */
const TAG = /(?:^|[-_.])((?:UD-)?(?:[IT]?Q\d\w*|B?F16|F32|MXFP4\w*))(?:-\d{5}-of-\d{5})?\.gguf$/i;

const LATER_SHARD = /-(?!00001)\d{5}-of-\d{5}\.gguf$/i;

/** Shards of one file. */
const SHARD = /-(\d{5})-of-(\d{5})\.gguf$/;

export function isGguf(file: string): boolean {
  return /\.gguf$/i.test(file);
}

/** @returns whether a file has a vision tower and its connector, and no decoder */
export function isMmproj(file: string): boolean {
  return /mmproj[^/]*$/i.test(file);
}

/** @returns the tag that chooses a file of a repository: "Q4_K_M" of "Model-Q4_K_M.gguf", if there is one */
export function ggufTag(file: string): string | undefined {
  return TAG.exec(file)?.[1]?.toUpperCase();
}

/** @returns all files of which a file is one shard, in their order; a file that is none stays alone */
export function shardsOf(file: string): string[] {
  const [end, , total] = SHARD.exec(file) ?? [];
  if (end === undefined) return [file];
  const stem = file.slice(0, -end.length);
  return Array.from({ length: Number(total) }, (_, i) => {
    return `${stem}-${String(i + 1).padStart(5, "0")}-of-${total}.gguf`;
  });
}

/** @returns the file of a folder that has one model in GGUF and none in safetensors */
export function soleGguf(files: readonly string[]): { readonly file: string } | undefined {
  const models = files.filter((file) => isModel(file) && !LATER_SHARD.test(file));
  const [file] = models;
  if (file === undefined || models.length > 1 || files.some((name) => /\.safetensors/.test(name))) {
    return undefined;
  }
  return { file };
}

/** The tags of the files of a repository that can be loaded, each once. */
export function ggufTags(files: Iterable<string>): string[] {
  const tags = [...files].filter(isModel).flatMap((file) => ggufTag(file) ?? []);
  return [...new Set(tags)].sort();
}

function isModel(file: string): boolean {
  return isGguf(file) && !isMmproj(file);
}
