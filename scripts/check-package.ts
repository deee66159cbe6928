import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack } from "./pack.ts";

/**
 * `npm run package:check`: has publint and "Are the types wrong?" check the package.
 *
 * @returns the exit code
 */
export async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "webvlm-pack-"));
  try {
    const file = await pack(folder);
    // The whole service worker is a script to copy. Nobody imports it.
    const untyped = ["--exclude-entrypoints", "webvlm-service-worker.js"];
    const checks = [
      ["publint", "run", file, "--strict"],
      ["attw", file, "--profile", "esm-only", "--no-definitely-typed", ...untyped],
    ];
    return checks.every((args) => succeeds("npm", "exec", "--", ...args)) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function succeeds(command: string, ...args: string[]): boolean {
  // npm is a script on Windows.
  const shell = process.platform === "win32";
  return spawnSync(command, args, { stdio: "inherit", shell }).status === 0;
}
