import { type GgufHeader, type GgufTensor, parseGgufHeader } from "../../weights/gguf/header.ts";
import { metadataOf } from "../../weights/gguf/metadata.ts";
import { type GgufTensors, ggufTensors } from "../../weights/gguf/tensors.ts";
import { ggufTokenizer } from "../../weights/gguf/tokenizer.ts";
import type { GgufFamily, GgufSource } from "./family.ts";
import { GGUF_FAMILIES } from "./registry.ts";

/** A model's GGUF files in Hugging Face's layout. */
export interface GgufModel extends GgufTensors {
  /** Parsed JSON by file name, such as "config.json". */
  readonly files: Readonly<Record<string, unknown>>;
}

/**
 * Reads GGUF files as a checkpoint.
 *
 * @param id for errors
 * @param headers the bytes before the tensors of each file, by the file's name: the decoder, perhaps in
 *   shards, and the mmproj file
 * @throws Error that names what is missing or not supported
 */
export function readGguf(id: string, headers: ReadonlyMap<string, Uint8Array>): GgufModel {
  const files = new Map([...headers].map(([name, bytes]) => [name, parseWhole(name, bytes)]));
  const [textFile, text] = fileOf(id, files, (kind) => kind !== undefined && kind !== "clip");
  const [visionFile, vision] = fileOf(id, files, (kind) => kind === "clip");
  const general = metadataOf(textFile, text.metadata);
  const architecture = general.text("general.architecture");
  const projector = projectorOf(visionFile, vision);
  const family = familyOf(id, architecture, projector);
  const tokenizer = ggufTokenizer(textFile, general, family.extraTokens);
  const source: GgufSource = {
    text: metadataOf(textFile, text.metadata, `${architecture}.`),
    vision: metadataOf(visionFile, vision.metadata, "clip.vision."),
    shape: (name) => tensorOf(id, files, name).shape,
    has: (name) => findTensor(files, name) !== undefined,
    tokenId: tokenizer.tokenId,
  };
  const { config, preprocessor } = family.config(source);
  return {
    files: {
      ...tokenizer.files,
      "tokenizer_config.json": withTemplate(tokenizer.files["tokenizer_config.json"], family),
      "config.json": config,
      "preprocessor_config.json": preprocessor,
    },
    ...ggufTensors(files, family.roles(source)),
  };
}

function parseWhole(name: string, bytes: Uint8Array): GgufHeader {
  const header = parseGgufHeader(name, bytes);
  if (header) return header;
  throw new Error(`${name} is damaged: it ends within its header`);
}

/** @param isMeant whether a file with this general.architecture is meant; shards but the first have none */
function fileOf(
  id: string,
  files: ReadonlyMap<string, GgufHeader>,
  isMeant: (architecture: unknown) => boolean,
): [name: string, GgufHeader] {
  const all = [...files];
  const found = all.find(([, { metadata }]) => isMeant(metadata.get("general.architecture")));
  if (found) return found;
  const kinds = all.map(
    ([name, { metadata }]) => `${name}: ${String(metadata.get("general.architecture"))}`,
  );
  throw new Error(
    `${id}: expected one file with a decoder and one whose general.architecture is clip, ` +
      `got ${kinds.join(", ")}`,
  );
}

function projectorOf(file: string, { metadata }: GgufHeader): string {
  // Files that have an audio encoder, too, name each projector.
  const clip = metadataOf(file, metadata, "clip.");
  return clip.get("vision.projector_type") === undefined
    ? clip.text("projector_type")
    : clip.text("vision.projector_type");
}

function familyOf(id: string, architecture: string, projector: string): GgufFamily {
  const family = GGUF_FAMILIES.find(
    (one) => one.architecture === architecture && one.projector === projector,
  );
  if (family) return family;
  const known = GGUF_FAMILIES.map((one) => `${one.architecture} with ${one.projector}`).join(", ");
  throw new Error(
    `${id}: general.architecture is ${architecture} and clip.projector_type ${projector}, ` +
      `supported in GGUF: ${known}; load the repository in safetensors`,
  );
}

function tensorOf(id: string, files: ReadonlyMap<string, GgufHeader>, name: string): GgufTensor {
  const found = findTensor(files, name);
  if (!found) throw new Error(`${id} has no tensor ${name}`);
  return found;
}

function findTensor(files: ReadonlyMap<string, GgufHeader>, name: string): GgufTensor | undefined {
  for (const { tensors } of files.values()) {
    const found = tensors.find((tensor) => tensor.name === name);
    if (found) return found;
  }
  return undefined;
}

/** @returns tokenizer_config.json with a chat template that writes images */
function withTemplate(config: object | undefined, { chatTemplate }: GgufFamily): object {
  const { chat_template } = (config ?? {}) as { readonly chat_template?: unknown };
  const takesImages = JSON.stringify(chat_template ?? "").includes("image");
  return { ...config, ...(chatTemplate && !takesImages && { chat_template: chatTemplate }) };
}
