import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type HubServer, commitOf, readFolder, startHub } from "../tests/hub-server.ts";
import { findPython } from "./find-python.ts";
import { ROOT } from "./root.ts";
import { run } from "./serve-process.ts";
import { shared } from "./shared.ts";

const REPOSITORY = "webvlm/sample";
const IMAGE = join(ROOT, "e2e", "goldens", "sample", "red-circle.png");
const ANSWER = "A red circle.";

const python = findPython();
const withoutPython = "reason" in python ? ` (skipped, no Python: ${python.reason})` : "";

describe.skipIf(withoutPython)(`the cache of Python's huggingface_hub${withoutPython}`, () => {
  let hub: HubServer;
  let command: string;
  let home: string;
  beforeAll(async () => {
    const files = readFolder(join(ROOT, "public", "models", "sample"));
    [hub, command] = await Promise.all([startHub({ [REPOSITORY]: files }), shared("command")]);
  });
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "webvlm-hub-"));
    return () => rm(home, { recursive: true });
  });
  afterAll(() => hub.close());

  const environment = (more: NodeJS.ProcessEnv = {}) => ({
    ...{
      HF_HOME: home,
      HF_HUB_CACHE: join(home, "hub"),
      HF_ENDPOINT: hub.url,
      HF_HUB_DISABLE_XET: "1",
    },
    ...more,
  });
  const snapshotDownload = (options: string, more?: NodeJS.ProcessEnv) => {
    const code =
      "from huggingface_hub import snapshot_download\n" +
      `print(snapshot_download(${JSON.stringify(REPOSITORY)}, ${options}))`;
    if ("reason" in python) throw new Error(python.reason);
    return run(python.python, ["-c", code], { env: environment(more) });
  };
  const inspect = () => {
    const args = [command, "inspect", REPOSITORY];
    return run(process.execPath, args, { env: environment() });
  };
  const pull = () => run(process.execPath, [command, "pull", REPOSITORY], { env: environment() });
  const ask = (more?: NodeJS.ProcessEnv) => {
    const words = [IMAGE, "What is in this image?", "--temperature", "0"];
    return run(process.execPath, [command, "ask", ...words, "--model", REPOSITORY], {
      env: environment(more),
    });
  };

  test("reads Python's downloads without requesting weights from the hub", async () => {
    const downloaded = await snapshotDownload("revision='main'");
    expect(downloaded.code, downloaded.stderr).toBe(0);
    hub.requests.length = 0;
    const online = await inspect();
    expect([online.code, online.stdout]).toEqual([0, expect.stringContaining("stored as BF16")]);
    expect(hub.requests.filter(({ path }) => path.includes(".safetensors"))).toEqual([]);
    hub.requests.length = 0;
    const offline = await ask({ HF_HUB_OFFLINE: "1" });
    expect([offline.code, offline.stdout.trim()]).toEqual([0, ANSWER]);
    expect(hub.requests).toEqual([]);
  });

  test("Python finds the downloads of this command complete and unchanged", async () => {
    const asked = await ask();
    expect([asked.code, asked.stdout.trim()]).toEqual([0, ANSWER]);
    const found = await snapshotDownload("local_files_only=True", { HF_HUB_OFFLINE: "1" });
    expect([found.code, found.stderr]).toEqual([0, ""]);
    const files = hub.repositories[REPOSITORY] as Record<string, Uint8Array>;
    const folder = found.stdout.trim();
    expect(folder.endsWith(commitOf(files))).toBe(true);
    for (const name of await readdir(folder)) {
      const bytes = await readFile(join(folder, name));
      expect(bytes.equals(files[name] as Uint8Array), name).toBe(true);
    }
    // It requests only missing files, not those that it finds by the hub's hashes.
    hub.requests.length = 0;
    const again = await snapshotDownload("revision='main'");
    expect(again.code).toBe(0);
    const bodies = hub.requests.filter(({ method, path }) => method === "GET" && isWeights(path));
    expect(bodies).toEqual([]);
  });

  test.each(["Python", "the command"])("while %s downloads, the other waits", async (first) => {
    const download = () => snapshotDownload("revision='main'");
    const both = first === "Python" ? [download, pull] : [pull, download];
    hub.faults.pieceDelayMs = 8;
    const before = hub.sentBytes;
    const begun = both[0]!();
    await expect.poll(() => isBegun(home), { timeout: 60_000, interval: 5 }).toBe(true);
    for (const { code, stderr } of await Promise.all([begun, both[1]!()]))
      expect(code, stderr).toBe(0);
    hub.faults.pieceDelayMs = 0;
    const { length } = hub.repositories[REPOSITORY]!["model.safetensors"] as Uint8Array;
    expect(hub.sentBytes - before).toBeGreaterThanOrEqual(length);
    // The command reads the header once more.
    expect(hub.sentBytes - before).toBeLessThan(1.01 * length);
    const offline = await snapshotDownload("local_files_only=True", { HF_HUB_OFFLINE: "1" });
    expect(offline.code, offline.stderr).toBe(0);
  });
});

/** The file that is downloaded, before it has its name. */
async function isBegun(home: string): Promise<boolean> {
  const names = await readdir(join(home, "hub"), { recursive: true }).catch(() => []);
  return names.some((name) => name.endsWith(".incomplete"));
}

const isWeights = (path: string) => path.includes(".safetensors");
