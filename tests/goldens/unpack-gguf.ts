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
import { GOLDENS, GGUF_GOLDENS, UNPACKED } from "./paths.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** Makes `.cache/goldens/gguf` of the GGUF files that the repository keeps compressed. */
export function unpackGguf(): void {
  const source = join(ROOT, GOLDENS, "gguf");
  for (const name of GGUF_GOLDENS) {
    const target = join(ROOT, UNPACKED, "gguf", name);
    mkdirSync(target, { recursive: true });
    for (const file of readdirSync(join(source, name)).filter((one) => one.endsWith(".gz"))) {
      const bytes = gunzipSync(readFileSync(join(source, name, file)));
      const made = join(target, file.replace(/\.gz$/, ""));
      if (existsSync(made) && readFileSync(made).equals(bytes)) continue;
      // Other runs may unpack at the same time: a file appears whole or not at all.
      const scratch = `${made}.${randomUUID()}`;
      writeFileSync(scratch, bytes);
      renameSync(scratch, made);
    }
  }
}
