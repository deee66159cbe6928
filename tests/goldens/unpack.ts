import { createHash, randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { safetensors, type StoredTensor } from "../checkpoint.ts";
import { type Draw, drawBytes } from "./draws.ts";
import { unpackTensors } from "./packing.ts";
import { GOLDENS, UNPACKED } from "./paths.ts";
import { unpackGguf } from "./unpack-gguf.ts";
import { unpackPacked } from "./unpack-packed.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** SHA-256 of the files of a family folder, and of those that are made of them. */
export interface Manifest {
  readonly files: Readonly<Record<string, string>>;
  readonly unpacked: Readonly<Record<string, string>>;
}

/** weights.json: each tensor is drawn, or stored as it is. */
interface Recipe {
  readonly file: string;
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly draw?: Draw;
    readonly base64?: string;
  }[];
}

/**
 * Makes `.cache/goldens/<family>` of each family folder: a whole checkpoint, with its weights and
 * the recorded tensors as safetensors files. A folder that is there already stays. GGUF files are
 * unpacked, too.
 *
 * @throws Error when a file that is made is not the one that was recorded
 */
export default function unpackGoldens(): void {
  for (const folder of familyFolders()) {
    const manifest = readFileSync(join(ROOT, GOLDENS, folder, "manifest.json"), "utf8");
    const target = join(ROOT, UNPACKED, folder);
    const made = join(target, "manifest.json");
    if (existsSync(made) && readFileSync(made, "utf8") === manifest) continue;
    // Other runs may unpack at the same time: a folder appears whole or not at all.
    const scratch = `${target}.${randomUUID()}`;
    for (const [name, bytes] of filesOf(folder)) {
      mkdirSync(dirname(join(scratch, name)), { recursive: true });
      writeFileSync(join(scratch, name), bytes);
    }
    rmSync(target, { recursive: true, force: true });
    try {
      renameSync(scratch, target);
    } catch (error) {
      rmSync(scratch, { recursive: true });
      if (!existsSync(made)) throw error;
    }
  }
  unpackGguf();
  unpackPacked();
}

/** Names of the folders that hold a model family. */
export function familyFolders(): string[] {
  const folders = readdirSync(join(ROOT, GOLDENS), { withFileTypes: true });
  return folders
    .filter(({ name }) => existsSync(join(ROOT, GOLDENS, name, "manifest.json")))
    .map(({ name }) => name);
}

/** The small files of a family folder by name, and the large ones that are made of them. */
function filesOf(folder: string): Map<string, Uint8Array<ArrayBuffer>> {
  const read = (name: string) => new Uint8Array(readFileSync(join(ROOT, GOLDENS, folder, name)));
  const manifest = JSON.parse(new TextDecoder().decode(read("manifest.json"))) as Manifest;
  const files = new Map(
    ["manifest.json", ...Object.keys(manifest.files)].map((name) => [name, read(name)]),
  );
  const made = unpackFolder(files);
  for (const [name, hash] of Object.entries(manifest.unpacked)) {
    const bytes = made.get(name) ?? new Uint8Array();
    if (sha256(bytes) !== hash) {
      throw new Error(`${folder}/${name}: expected SHA-256 ${hash}, got ${sha256(bytes)}`);
    }
    files.set(name, bytes);
  }
  return files;
}

/** The weight file and the recorded tensors, by file name. */
function unpackFolder(
  files: ReadonlyMap<string, Uint8Array>,
): Map<string, Uint8Array<ArrayBuffer>> {
  const made = new Map<string, Uint8Array<ArrayBuffer>>();
  const recipe = JSON.parse(new TextDecoder().decode(files.get("weights.json"))) as Recipe;
  const weights = recipe.tensors.map(({ name, dtype, shape, draw, base64 = "" }) => {
    const data = draw ? drawBytes(draw, shape, dtype) : Buffer.from(base64, "base64");
    return [name, { dtype, shape, data }] as const;
  });
  made.set(recipe.file, safetensors(Object.fromEntries(weights)));
  for (const [name, file] of files) {
    if (!name.endsWith(".packed")) continue;
    const tensors: Record<string, StoredTensor> = {};
    for (const [key, { shape, values }] of unpackTensors(file)) {
      tensors[key] = { dtype: "F32", shape, data: new Uint8Array(values.buffer) };
    }
    made.set(name.replace(/\.packed$/, ".safetensors"), safetensors(tensors));
  }
  return made;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
