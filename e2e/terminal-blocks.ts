import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { CodeBlock } from "./code-blocks.ts";
import { findPython } from "./find-python.ts";
import { type Serving, adapterEnvironment, run, startServe } from "./serve-process.ts";

/** The output of a block of `sh`, `python` or `js`. */
export interface Written {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a documentation page's blocks in a terminal, at the root of the repository. */
export interface Terminal {
  /** Starts `webvlm serve …` and leaves it running. Runs any other block to its end. */
  run(block: CodeBlock): Promise<Written>;
  /** Replaces the addresses in the text by those of the servers that were started. */
  addressed(text: string): string;
  close(): Promise<void>;
}

/** @param command the built `webvlm.js` */
export async function openTerminal(command: string): Promise<Terminal> {
  const bin = await mkdtemp(join(tmpdir(), "webvlm-bin-"));
  const shim = join(bin, "webvlm");
  await writeFile(shim, `#!/bin/sh\nexec "${process.execPath}" "${command}" "$@"\n`);
  await chmod(shim, 0o755);
  const env = { ...adapterEnvironment(), PATH: bin + delimiter + process.env.PATH };
  /** The started servers, by the port that the page names. Each listens at a free port. */
  const servers = new Map<string, Serving>();

  const addressed = (text: string): string =>
    text.replace(/http:\/\/(?:127\.0\.0\.1|localhost):(\d+)/g, (address, port: string) => {
      return servers.get(port)?.url ?? address;
    });

  const serve = async (code: string): Promise<Written> => {
    const args = addressed(code).trim().split(/\s+/).slice(2);
    const at = args.indexOf("--port");
    const [, port = "30000"] = at < 0 ? [] : args.splice(at, 2);
    const serving = await startServe(command, args);
    servers.set(port, serving);
    return { code: 0, stderr: "", stdout: await serving.ready };
  };

  return {
    addressed,
    async run({ language, code }) {
      const text = addressed(code);
      if (code.startsWith("webvlm serve")) return serve(code);
      if (language === "sh") return run("sh", ["-ec", text], { env });
      if (language === "python") return run(pythonOrThrow(), ["-c", text], { env });
      if (language !== "js") throw new Error(`nothing here runs ${language}: ${code}`);
      const file = join(dirname(command), "docs.mjs"); // Where `openai` is found.
      writeFileSync(file, text);
      return run(process.execPath, [file], { env });
    },
    async close() {
      for (const serving of servers.values()) await serving.kill();
      await rm(bin, { recursive: true });
    },
  };
}

/** @returns what the machine lacks to run a block, or undefined */
export function lacking({ language, code }: CodeBlock): string | undefined {
  if (language === "python") {
    const python = findPython();
    return "reason" in python ? `no Python: ${python.reason}` : undefined;
  }
  const noCurl = /^curl/m.test(code) && spawnSync("curl", ["--version"]).status !== 0;
  return noCurl ? "no curl" : undefined;
}

function pythonOrThrow(): string {
  const found = findPython();
  if ("reason" in found) throw new Error(found.reason);
  return found.python;
}
