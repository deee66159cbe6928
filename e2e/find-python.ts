import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "./root.ts";

/** A Python with the packages of `requirements.txt`, or the reason why there is none. */
export function findPython(): { python: string } | { reason: string } {
  const folder = join(ROOT, ".cache", "python");
  const python = join(folder, "bin", "python");
  const requirements = join(ROOT, "e2e", "python", "requirements.txt");
  const mark = join(folder, "installed");
  const wanted = readFileSync(requirements, "utf8");
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return { python };
  mkdirSync(dirname(folder), { recursive: true });
  for (const [program, args] of [
    ["python3", ["-m", "venv", "--clear", folder]],
    [python, ["-m", "pip", "install", "--quiet", "--requirement", requirements]],
  ] as const) {
    const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
    if (status === 0) continue;
    const message = (error?.message ?? stderr).trim().split("\n").at(-1);
    return { reason: `${program} ${args.slice(0, 3).join(" ")}: ${message}` };
  }
  writeFileSync(mark, wanted);
  return { python };
}
