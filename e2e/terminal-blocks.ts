import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import type { CodeBlock } from "./code-blocks.ts";
import { findPython } from "./find-python.ts";
import { type Serving, adapterEnvironment, run, startServe } from "./serve-process.ts";
import { shared, sharedServe } from "./shared.ts";

/** The output of a block of `sh`, `python` or `js`. */
export interface Written {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a documentation page's blocks in a terminal, at the root of the repository. */
export interface Terminal {
  /**
   * Starts `webvlm serve …` and leaves it running, or takes the server that all tests share where it has
   * no options. Runs any other block to its end.
   */
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
  const started: Serving[] = [];
  /** The addresses of servers by the port that the page names. Each listens at a free port. */
  const urls = new Map<string, string>();

  const addressed = (text: string): string =>
    text.replace(/http:\/\/(?:127\.0\.0\.1|localhost):(\d+)/g, (address, port: string) => {
      return urls.get(port) ?? address;
    });

  const serve = async (code: string): Promise<Written> => {
    const args = addressed(code).trim().split(/\s+/).slice(2);
    const at = args.indexOf("--port");
    const [, port = "30000"] = at < 0 ? [] : args.splice(at, 2);
    if (args.length === 0) {
      urls.set(port, await sharedServe());
      return { code: 0, stderr: "", stdout: await shared("serve") };
    }
    const serving = await startServe(command, args);
    started.push(serving);
    urls.set(port, serving.url);
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
      const file = join(dirname(command), `docs-${basename(bin)}.mjs`); // Where `openai` is found.
      writeFileSync(file, text);
      return run(process.execPath, [file], { env }).finally(() => rm(file));
    },
    async close() {
      for (const serving of started) await serving.kill();
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
