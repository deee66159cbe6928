import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** Bytes, gzipped, that each file of the built library may have. */
const LIMITS = {
  "webvlm.js": 150_000,
  "service-worker.js": 6_000,
  "webvlm-service-worker.js": 6_000,
};

/**
 * `npm run size`: prints the size of the built library.
 *
 * @returns the exit code: 1 when a file is above its limit
 */
export function main(): number {
  const folder = join(import.meta.dirname, "..", "dist", "lib");
  let code = 0;
  for (const [file, limit] of Object.entries(LIMITS)) {
    const bytes = gzipSync(readFileSync(join(folder, file)), { level: 9 }).length;
    console.log(`${file}: ${kilobytes(bytes)} gzipped, at most ${kilobytes(limit)}`);
    if (bytes > limit) code = 1;
  }
  if (code !== 0) console.error("The library is too large. README.md promises these limits.");
  return code;
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
