import { randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { headerBytes, parseHeader } from "../../src/weights/safetensors.ts";
import { GOLDENS, GGUF_GOLDENS, UNPACKED } from "./paths.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** By file, the tensors of the family folder whose bytes begin at a place of the file. */
type Filled = Readonly<Record<string, readonly (readonly [tensor: string, begin: number])[]>>;

/**
 * Makes `.cache/goldens/gguf` of the GGUF files that the repository keeps compressed, and of the family
 * folders' weights.
 */
export function unpackGguf(): void {
  const source = join(ROOT, GOLDENS, "gguf");
  for (const name of GGUF_GOLDENS) {
    const target = join(ROOT, UNPACKED, "gguf", name);
    mkdirSync(target, { recursive: true });
    const fill = filler(name);
    for (const file of readdirSync(join(source, name)).filter((one) => one.endsWith(".gz"))) {
      const bytes = gunzipSync(readFileSync(join(source, name, file)));
      fill(file.replace(/\.gz$/, ""), bytes);
      const made = join(target, file.replace(/\.gz$/, ""));
      if (existsSync(made) && readFileSync(made).equals(bytes)) continue;
      // Other runs may unpack at the same time: a file appears whole or not at all.
      const scratch = `${made}.${randomUUID()}`;
      writeFileSync(scratch, bytes);
      renameSync(scratch, made);
    }
  }
}

/** @returns what puts the tensors that were left out back into a file */
function filler(name: string): (file: string, bytes: Uint8Array) => void {
  const list = join(ROOT, GOLDENS, "gguf", name, "filled.json");
  if (!existsSync(list)) return () => {};
  const filled = JSON.parse(readFileSync(list, "utf8")) as Filled;
  const weights = readFileSync(join(ROOT, UNPACKED, name, "model.safetensors"));
  const { tensors } = parseHeader(name, weights.subarray(0, headerBytes(name, weights)));
  return (file, bytes) => {
    for (const [tensor, place] of filled[file] ?? []) {
      const { begin, end } = tensors.get(tensor)!;
      bytes.set(weights.subarray(begin, end), place);
    }
  };
}
