import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * Packs the package as `npm publish` does, which builds it first. `WEBVLM_PACKAGE` names a package that
 * is packed already.
 *
 * @param folder receives the package
 * @returns the package's file
 * @throws Error when the build fails
 */
export function pack(folder: string): string {
  const packed = process.env.WEBVLM_PACKAGE;
  if (packed) return packed;
  // A test runner sets NODE_ENV, which Vite would heed.
  const env = { ...process.env, NODE_ENV: "" };
  const options = { cwd: join(import.meta.dirname, ".."), env, encoding: "utf8" } as const;
  // npm is a script on Windows.
  const shell = process.platform === "win32";
  const args = ["pack", "--pack-destination", folder];
  const { status, stdout, stderr } = spawnSync("npm", args, { ...options, shell });
  if (status !== 0) throw new Error(`npm pack failed:\n${stdout}${stderr}`);
  const [file = ""] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  return join(folder, file);
}
