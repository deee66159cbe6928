import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright";
import { createServer as createVite } from "vite";
import type { TestProject } from "vitest/node";
import { CHROMIUM_ARGS, findChromium } from "../scripts/chromium.ts";
import { pack } from "../scripts/pack.ts";
import { ROOT } from "./root.ts";
import { run, startServe } from "./serve-process.ts";

/** Something that all end-to-end tests share. */
interface Shared {
  readonly value: string;
  close?(): Promise<unknown>;
}

const MAKERS = {
  /** The project as `npm start` serves it. Its value is the URL, which ends in a slash. */
  async site(): Promise<Shared> {
    const server = await createVite({
      root: ROOT,
      // Its own cache, so that a running `npm start` is not disturbed.
      cacheDir: join(ROOT, "node_modules", ".vite-e2e"),
      logLevel: "error",
      // The imports of `page/clients.ts` that vite.config.ts does not name.
      optimizeDeps: {
        include: [
          "@ai-sdk/openai-compatible",
          "@langchain/core/messages",
          "@langchain/openai",
          "ai",
          "openai/helpers/zod",
          "zod",
        ],
      },
      server: { host: "127.0.0.1", port: 0, hmr: false, watch: null },
    });
    await server.listen();
    return { value: server.resolvedUrls?.local[0] as string, close: () => server.close() };
  },

  /** A Chromium. Its value is the address that Playwright connects to. */
  async browser(): Promise<Shared> {
    const executablePath = findChromium();
    const server = await chromium.launchServer({
      ...(executablePath && { executablePath }),
      args: CHROMIUM_ARGS,
    });
    return { value: server.wsEndpoint(), close: () => server.close() };
  },

  /** The package as npm packs it, which builds it. Its value is the file. */
  async package(): Promise<Shared> {
    const folder = await mkdtemp(join(tmpdir(), "webvlm-pack-"));
    return { value: await pack(folder), close: () => rm(folder, { recursive: true }) };
  },

  /** The library as it is published. Its value is its folder. */
  async library(): Promise<Shared> {
    await make("package");
    return { value: join(ROOT, "dist", "lib") };
  },

  /** The command as it is published. Its value is the script. */
  async command(): Promise<Shared> {
    await make("package");
    return { value: join(ROOT, "dist", "cli", "webvlm.js") };
  },

  /** The sample model as `webvlm convert` writes it. Its value is the folder. */
  async converted(): Promise<Shared> {
    const parent = await mkdtemp(join(tmpdir(), "webvlm-converted-"));
    const folder = join(parent, "sample-q8");
    const sample = join(ROOT, "public", "models", "sample");
    const command = (await make("command")).value;
    const args = [command, "convert", sample, folder, "--format", "q8"];
    const { code, stderr } = await run(process.execPath, args);
    if (code !== 0 || !stderr.includes("writing: 100%")) throw new Error(`convert: ${stderr}`);
    return { value: folder, close: () => rm(parent, { recursive: true }) };
  },

  /** `webvlm serve` without options, loaded. Its value is the line that it printed when it was ready. */
  async serve(): Promise<Shared> {
    const serving = await startServe((await make("command")).value);
    return { value: await serving.ready, close: () => serving.kill() };
  },
} satisfies Record<string, () => Promise<Shared>>;

export type SharedName = keyof typeof MAKERS;

const made = new Map<SharedName, Promise<Shared>>();

/** Makes a thing, or returns what was made of that name before. */
function make(name: SharedName): Promise<Shared> {
  const shared = made.get(name) ?? MAKERS[name]();
  made.set(name, shared);
  return shared;
}

declare module "vitest" {
  export interface ProvidedContext {
    /** Address of the server that `shared` asks. */
    readonly shared: string;
  }
}

/**
 * Makes what the end-to-end tests share, each thing once and when the first test asks for it, and
 * ends it after the last test.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    make((request.url as string).slice(1) as SharedName).then(
      ({ value }) => response.end(value),
      (error: Error) => response.writeHead(500).end(error.stack),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  project.provide("shared", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return async () => {
    server.close();
    const all = await Promise.allSettled(made.values());
    await Promise.all(all.map((shared) => shared.status === "fulfilled" && shared.value.close?.()));
  };
}
