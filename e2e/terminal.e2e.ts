import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright";
import { beforeAll, describe, expect, test } from "vitest";
import type { ModelPlan } from "../src/index.ts";
import { UNPACKED } from "../tests/goldens/paths.ts";
import { openSample } from "./browser.ts";
import { findPython } from "./find-python.ts";
import { ROOT } from "./root.ts";
import { run } from "./serve-process.ts";
import { shared, sharedServe } from "./shared.ts";

const IMAGES = join(ROOT, "e2e", "goldens", "sample");

let command: string;
beforeAll(async () => {
  command = await shared("command");
});

const webvlm = (args: readonly string[], options: Parameters<typeof run>[2] = {}) =>
  run(process.execPath, [command, ...args], options);

describe("webvlm ask", () => {
  test.each([
    [["missing.png", "What is it?"], /^webvlm: There is no file missing.png\.$/m],
    [[join(IMAGES, "red-circle.png")], /^webvlm: Say what you want to know/m],
    [["Hello!", "--max-tokens", "0"], /max-tokens.*Expected an integer, at least 1/],
    [["Hello!", "--quantization", "q3"], /Allowed choices are f32, f16, q8, q6, q4, auto/],
    [[], /missing required argument 'words'/],
  ])("%j is refused before anything is loaded", async (words, message) => {
    const { code, stdout, stderr } = await webvlm(["ask", ...words]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("GPU:");
  });
});

describe("webvlm inspect", () => {
  let page: Page;
  beforeAll(async () => {
    page = await openSample();
  });

  test("prints the size of a loaded model, without a GPU", async () => {
    const env = { LD_LIBRARY_PATH: "", VK_ICD_FILENAMES: "/nowhere.json" };
    const { code, stdout, stderr } = await webvlm(["inspect", "--json"], { env });
    expect([code, stderr]).toEqual([0, ""]);
    const plan = JSON.parse(stdout) as ModelPlan;
    expect(plan).toMatchObject({ id: "sample", modelType: "smolvlm", storedAs: ["BF16"] });
    const bytes = Object.values(plan.disk).reduce((sum, { bytes }) => sum + bytes, 0);
    const file = readFileSync(join(ROOT, "public/models/sample/model.safetensors"));
    expect(bytes).toBe(file.length - 8 - Number(file.readBigUInt64LE(0)));
    const { gpuBytes } = await page.evaluate(async () => {
      const vlm = await window.tools.loadSample();
      return vlm.stats();
    });
    // Planned for the kernels of GPUs, which pass on more than those of this software adapter.
    const surplus = plan.gpu.auto.total / gpuBytes - 1;
    expect(surplus).toBeGreaterThan(0);
    expect(surplus).toBeLessThan(0.1);
  });

  test("prints a table", async () => {
    const { stdout } = await webvlm(["inspect", join(ROOT, UNPACKED, "qwen2_5_vl")]);
    expect(stdout).toMatch(/^qwen2_5_vl: qwen2_5_vl, stored as BF16$/m);
    expect(stdout).toMatch(/parameters +on disk +f32 +f16 +q8 +q6 +q4 +auto$/m);
    for (const row of ["text", "embedding", "vision", "connector", "keys and values", "total"]) {
      expect(stdout).toMatch(new RegExp(`^ +${row} .*\\d [KMG]?B$`, "m"));
    }
    expect(stdout).toMatch(/^ +1920 x 1080 +\d+ tokens$/m);
  });
});

test("webvlm convert writes a folder that answers", async () => {
  const model = await shared("converted");
  const question = [join(IMAGES, "red-circle.png"), "What is in the image?", "--model", model];
  const answer = await webvlm(["ask", ...question, "--temperature", "0"]);
  expect([answer.code, answer.stdout]).toEqual([0, "A red circle.\n"]);
});

describe("webvlm", () => {
  test.each([
    [["--help"], [/serve/, /ask/, /inspect/, /HF_HOME/]],
    [
      ["serve", "--help"],
      [/--cors-origin/, /WEBVLM_API_KEY/, /\$ webvlm serve/, /curl/],
    ],
    [
      ["ask", "--help"],
      [/standard input/, /\$ webvlm ask/],
    ],
    [
      ["inspect", "--help"],
      [/no GPU/, /\$ webvlm inspect/],
    ],
  ])("%j teaches", async (args, expected) => {
    const { code, stdout, stderr } = await webvlm(args);
    expect([code, stderr]).toEqual([0, ""]);
    for (const pattern of expected) expect(stdout).toMatch(pattern);
  });

  test("prints its version, and names an unknown option", async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    expect((await webvlm(["--version"])).stdout).toBe(`${version}\n`);
    const unknown = await webvlm(["srve"]);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain("Did you mean serve?");
  });
});

const python = findPython();
const withoutPython = "reason" in python ? ` (skipped, no Python: ${python.reason})` : "";

test.skipIf(withoutPython)(
  `the tutorial, with curl, requests and openai of Python${withoutPython}`,
  async () => {
    if ("reason" in python) return;
    const script = join(ROOT, "e2e", "python", "tutorial.py");
    const args = [script, IMAGES, await sharedServe()];
    const { code, stdout, stderr } = await run(python.python, args);
    expect([code, stderr]).toEqual([0, ""]);
    for (const step of ["requests: ", "openai: ", "openai, streamed: ", "openai, no image: "]) {
      expect(stdout).toContain(step);
    }
  },
);
