import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { findChromium } from "../scripts/chromium.ts";
import { ROOT } from "./root.ts";

/** Folders of Chromium besides that of its executable. */
const CHROMIUM_FOLDERS = ["/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"];

/**
 * The environment in which Dawn finds Chromium's software adapter, on a machine without a Vulkan
 * driver. With `WEBVLM_GPU=1` Dawn uses the machine's own driver.
 */
export function adapterEnvironment(): NodeJS.ProcessEnv {
  if (process.env.WEBVLM_GPU === "1") return {};
  const chromium = findChromium();
  const folders = [...(chromium ? [dirname(realpathSync(chromium))] : []), ...CHROMIUM_FOLDERS];
  const folder = folders.find((folder) => existsSync(join(folder, "vk_swiftshader_icd.json")));
  if (!folder) return {};
  return {
    LD_LIBRARY_PATH: [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
    VK_ICD_FILENAMES: join(folder, "vk_swiftshader_icd.json"),
  };
}

/** The environment of a `webvlm` that reads none of the user's files. */
function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const own = { ...process.env };
  delete own.WEBVLM_API_KEY;
  delete own.HF_TOKEN;
  return { ...own, ...adapterEnvironment(), ...more };
}

export interface Finished {
  readonly code: number | null;
  /** The signal that ended the process; null when it exited. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. `input` is its standard input. */
export function run(
  command: string,
  args: readonly string[],
  { input, env, cwd = ROOT }: { input?: Buffer; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<Finished> {
  const child = spawn(command, args, { env: environment(env), cwd });
  const output = collect(child);
  child.stdin.on("error", () => {}); // It may end without having read it.
  child.stdin.end(input);
  return output;
}

/** Resolves when a process has ended and all of its output has arrived. */
function collect(child: ChildProcess): Promise<Finished> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** A running `webvlm serve`. */
export interface Serving {
  /** Ends without a slash. */
  readonly url: string;
  /** Resolves to the line that begins with `ready`. Rejects when the process ends before. */
  readonly ready: Promise<string>;
  /** Resolves when it has ended. */
  readonly finished: Promise<Finished>;
  signal(name: NodeJS.Signals): void;
  /** Kills it, unless it has ended. */
  kill(): Promise<void>;
}

/** Starts `webvlm serve` at a free port. Resolves as soon as it listens. */
export async function startServe(
  command: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Serving> {
  const child = spawn(process.execPath, [command, "serve", "--port", "0", ...args], {
    env: environment(env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const finished = collect(child);
  const line = (stream: "stdout" | "stderr", pattern: RegExp): Promise<RegExpExecArray> => {
    let text = "";
    return new Promise((resolve, reject) => {
      child[stream].on("data", (data: string) => {
        text += data;
        const found = pattern.exec(text);
        if (found) resolve(found);
      });
      finished.then(
        ({ code, stderr }) => reject(new Error(`webvlm serve ended with ${code}: ${stderr}`)),
        reject,
      );
    });
  };
  const ready = line("stdout", /^ready: .*$/m).then(([text]) => text);
  ready.catch(() => {}); // A caller that awaits it gets the error.
  const [, url] = await line("stderr", /listening at (http:\S+)$/m);
  return {
    url: url as string,
    ready,
    finished,
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill("SIGKILL");
      await finished;
    },
  };
}
