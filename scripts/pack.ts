import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/**
 * Packs the package as `npm publish` does, which builds it first. `WEBVLM_PACKAGE` names a package that
 * is packed already.
 *
 * @param folder receives the package
 * @returns the package's file
 * @throws Error with the output of npm when the build fails
 */
export async function pack(folder: string): Promise<string> {
  const packed = process.env.WEBVLM_PACKAGE;
  if (packed) return packed;
  await promisify(execFile)("npm", ["pack", "--pack-destination", folder], {
    cwd: join(import.meta.dirname, ".."),
    // A test runner sets NODE_ENV, which Vite would heed.
    env: { ...process.env, NODE_ENV: "" },
    // npm is a script on Windows.
    shell: process.platform === "win32",
  });
  const [file = ""] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  return join(folder, file);
}
