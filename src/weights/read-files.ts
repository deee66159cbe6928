import type { WeightFile } from "./cache.ts";
import type { Folder, Listing } from "./folder.ts";
import { ggufTags } from "./gguf-names.ts";
import { HttpError, isBusy } from "./retry.ts";
import { headerBytes, parseHeader } from "./safetensors.ts";
import type { GgufChoice } from "./source.ts";

/** The small files of a checkpoint, and the headers of its weight files. */
export interface ReadFiles {
  readonly commit?: string | undefined;
  readonly files: ReadonlyMap<string, SmallFile>;
  readonly weights: readonly { file: WeightFile; header: Uint8Array<ArrayBuffer> }[];
  /** The file that counts, for tensors that several files have. */
  readonly owners?: Readonly<Record<string, string>> | undefined;
}

interface SmallFile {
  readonly tag: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The further templates that are read, of those that transformers 5 may write beside chat_template.jinja. */
const ADDITIONAL_TEMPLATES = ["default", "tool_use"].map(
  (name) => `additional_chat_templates/${name}.jinja`,
);

export const REQUIRED = ["config.json"];
/** A checkpoint has all files of one of these. */
export const TOKENIZERS = [["tokenizer.json"], ["vocab.json", "merges.txt"]];
export const OPTIONAL = [
  "generation_config.json",
  "preprocessor_config.json",
  "processor_config.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.json",
  "chat_template.jinja",
  ...ADDITIONAL_TEMPLATES,
];
export const SINGLE = "model.safetensors";
export const INDEX = "model.safetensors.index.json";

/** The largest checkpoints have hundreds of shards. */
const MAX_SHARDS = 1000;

/** Chooses the GGUF files of a model in a folder, and reads what comes before their tensors. */
export interface GgufHeaders {
  readHeaders(folder: Folder, choice: GgufChoice): Promise<ReadFiles["weights"]>;
}

/** A reader of GGUF files, and the file that it shall read. */
export interface OpenedGguf extends GgufHeaders {
  readonly choice: GgufChoice;
}

/**
 * Reads the small files and the headers of the weight files. GGUF files have the small ones in their
 * headers.
 *
 * @throws Error for a file that is missing or not valid, and what `files` throws
 */
export async function readFiles(files: Folder, gguf?: OpenedGguf): Promise<ReadFiles> {
  const { id, listing } = files;
  if (gguf) {
    const weights = await gguf.readHeaders(files, gguf.choice);
    return { commit: listing?.commit, files: new Map(), weights };
  }
  if (listing) checkWeights(id, listing);
  const weights = openWeights(files);
  // A wrong address is better explained by the small files, so their error is thrown first.
  weights.catch(() => {});
  const small = await readSmallFiles(files);
  return { commit: listing?.commit, files: small, ...(await weights) };
}

async function readSmallFiles(folder: Folder): Promise<Map<string, SmallFile>> {
  const files = new Map<string, SmallFile>();
  const read = async (name: string) => {
    const file = await readSmallFile(folder, name);
    if (file) files.set(name, file);
  };
  const [whole = [], parts = []] = TOKENIZERS;
  const first = OPTIONAL.filter((name) => !ADDITIONAL_TEMPLATES.includes(name));
  await Promise.all([...REQUIRED, ...whole, ...first].map(read));
  // Requests for the rest would mostly be in vain.
  if (files.has("chat_template.jinja")) await Promise.all(ADDITIONAL_TEMPLATES.map(read));
  if (whole.every((name) => files.has(name))) return files;
  await Promise.all(parts.map(read));
  if (parts.every((name) => files.has(name))) return files;
  throw folder.missing("tokenizer.json");
}

/** @returns undefined when an optional file is missing */
async function readSmallFile(folder: Folder, name: string): Promise<SmallFile | undefined> {
  const required = REQUIRED.includes(name);
  if (folder.listing && !folder.listing.files.has(name) && !required) return undefined;
  try {
    const { tag, content } = await folder.read(name);
    return { tag, bytes: content };
  } catch (error) {
    if (required || !(error instanceof HttpError) || isBusy(error)) throw error;
    return undefined;
  }
}

async function openWeights(folder: Folder): Promise<Pick<ReadFiles, "weights" | "owners">> {
  const { listing } = folder;
  if (!listing || listing.files.has(SINGLE)) {
    try {
      return { weights: [await openWeightFile(folder, SINGLE)] };
    } catch (error) {
      if (!(error instanceof HttpError) || isBusy(error)) throw error;
    }
  }
  const { content } = await folder.read(INDEX);
  const map = parseIndex(content);
  const shards = [...new Set(Object.values(map))].sort();
  const weights = await Promise.all(shards.map((name) => openWeightFile(folder, name)));
  return { weights, owners: ownersOf(weights, map) };
}

/**
 * Throws Error for a repository that has no weights in safetensors, but an adapter or weights in another
 * format.
 */
function checkWeights(id: string, { files }: Listing): void {
  if (files.has(SINGLE) || files.has(INDEX)) return;
  const tags = ggufTags(files.keys());
  if (tags.length > 0) {
    const named = tags.map((tag) => `${id}:${tag}`).join(", ");
    throw new Error(`${id} has neither ${SINGLE} nor ${INDEX}, but GGUF files: load ${named}`);
  }
  const kinds = /^adapter_config\.json$|\.(gguf|onnx|bin|pth?)$/;
  const other = [...files.keys()].sort().find((name) => kinds.test(name));
  if (!other) return;
  const advice = other.startsWith("adapter_config")
    ? "it is an adapter: merge it into its model, or load that model"
    : `${other} is in another format: load a repository in safetensors`;
  throw new Error(`${id} has neither ${SINGLE} nor ${INDEX}; ${advice}`);
}

/**
 * Finds the tensors that several files have. Those that the index names, but no file has, are not
 * missed before a model asks for them.
 *
 * @returns the file that the index names for each
 */
function ownersOf(
  weights: ReadFiles["weights"],
  map: Readonly<Record<string, string>>,
): Record<string, string> {
  const seen = new Map<string, string>();
  const owners: [string, string][] = [];
  for (const { file, header } of weights) {
    for (const name of parseHeader(file.name, header).tensors.keys()) {
      const owner = seen.has(name) && map[name];
      if (owner) owners.push([name, owner]);
      seen.set(name, file.name);
    }
  }
  return Object.fromEntries(owners);
}

/** @returns the file of each tensor, by the tensor's name */
function parseIndex(bytes: Uint8Array): Readonly<Record<string, string>> {
  let map: unknown;
  try {
    const index = JSON.parse(new TextDecoder().decode(bytes)) as { weight_map?: unknown } | null;
    map = index?.weight_map;
  } catch (cause) {
    throw new Error(`${INDEX} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof map !== "object" || map === null) throw new Error(`${INDEX} has no weight_map`);
  const files = new Set<string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[\w-][\w.-]*\.safetensors$/.test(file)) {
      throw new Error(`${INDEX}: ${tensor} is in ${JSON.stringify(file)}, expected a file name`);
    }
    files.add(file);
  }
  if (files.size === 0 || files.size > MAX_SHARDS) {
    throw new Error(`${INDEX} names ${files.size} files, expected 1 to ${MAX_SHARDS}`);
  }
  return map as Record<string, string>;
}

/** Reads the header of a weight file, and identifies its content. */
async function openWeightFile(folder: Folder, name: string): Promise<ReadFiles["weights"][number]> {
  const { content: length } = await folder.readRange(name, 0, 8);
  const header = new Uint8Array(headerBytes(name, length));
  header.set(length);
  const { content, tag, sha256, bytes, ranges } = await folder.readRange(name, 8, header.length);
  header.set(content, 8);
  const { fileBytes } = parseHeader(name, header.subarray(0, 8 + content.length));
  if (bytes !== undefined && bytes !== fileBytes) {
    throw new Error(
      `${name} has ${bytes} bytes, its header says ${fileBytes}: the file is damaged`,
    );
  }
  return { file: { name, tag, bytes: fileBytes, sha256, ranges }, header };
}
