import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SAMPLE } from "../../tests/chat-support.ts";
import { memoryGpu, readMemory } from "../../tests/memory-gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { createModel } from "../models/registry.ts";
import { assemble } from "../runtime/assemble.ts";
import { type ModelPlan, planCheckpoint } from "../runtime/plan-checkpoint.ts";
import type { AutoLevel } from "../weights/choose-format.ts";
import { convertedFiles } from "../weights/convert.ts";
import { convertCommand } from "./convert-command.ts";
import { openModel } from "./open-model.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "webvlm-convert-"));
  vi.stubEnv("XDG_CACHE_HOME", home);
  vi.spyOn(console, "log").mockImplementation(() => {});
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});

/** Loads a folder as a model does, on a device that keeps what is written to it. */
async function load(folder: string, level: AutoLevel) {
  const dispatches = { count: 0 };
  const gpu = memoryGpu(dispatches);
  const made = new Map<string, Tensor>();
  const make = gpu.tensor.bind(gpu);
  gpu.tensor = (...args) => {
    const tensor = make(...args);
    made.set(tensor.label, tensor);
    return tensor;
  };
  const checkpoint = await openModel(folder);
  const options = { contextLength: 1024 };
  const { engine, weights } = assemble(createModel, gpu, checkpoint, options, { auto: level });
  await engine.prepare();
  await weights.load(checkpoint);
  return { gpu, checkpoint, weights, made, packs: dispatches.count };
}

const convert = (folder: string, format: AutoLevel = "mixed") =>
  convertCommand(SAMPLE, folder, { format }, async () => memoryGpu());

test.each(["q8", "q4"] as const)(
  "a converted folder loads as %s without a quantizer",
  async (level) => {
    const folder = join(home, "converted");
    expect(await convert(folder, level)).toBe(0);
    expect(await readdir(home)).not.toContain("converted.incomplete");
    const [before, after] = [await load(SAMPLE, level), await load(folder, "stored")];
    expect([before.packs > 0, after.packs]).toEqual([true, 0]);
    const labels = new Set(
      before.weights.fills.flatMap(({ packed }) =>
        packed.parts.flat().map(({ tensor }) => tensor.label),
      ),
    );
    for (const label of labels) {
      const [one, other] = [before, after].map(({ made }) => readMemory(made.get(label)!));
      expect(Buffer.compare(one!, other!), label).toBe(0);
    }
    const { "config.json": config, ...files } = before.checkpoint.files;
    expect(after.checkpoint.files).toMatchObject({ ...files, "config.json": config as object });
    const plan = await planCheckpoint(createModel, after.checkpoint);
    const weightsOf = ({ disk }: ModelPlan) =>
      Object.entries(disk).map(([part, { parameters }]) => [part, parameters]);
    expect(weightsOf(plan)).toEqual(
      weightsOf(await planCheckpoint(createModel, before.checkpoint)),
    );
    expect(plan.storedAs.toSorted()).toEqual(["F32", ...new Set(["q8", level])].toSorted());
    expect(plan.downloadBytes).toBeLessThan(
      (level === "q4" ? 0.5 : 0.65) * before.checkpoint.weightBytes,
    );
  },
);

test("a large checkpoint is written in shards with an index", async () => {
  const { gpu, checkpoint, weights, made } = await load(SAMPLE, "q4");
  const folder = join(home, "shards");
  await mkdir(folder);
  const files = convertedFiles(gpu, checkpoint, weights.fills, "q4", 500_000);
  for (const { name, bytes, read } of files) {
    const content: Uint8Array[] = [];
    for await (const piece of read(new AbortController().signal)) content.push(piece.slice());
    expect(Buffer.concat(content).length, name).toBe(bytes);
    await writeFile(join(folder, name), Buffer.concat(content));
  }
  expect(files.filter(({ name }) => name.endsWith(".safetensors")).length).toBeGreaterThan(2);
  const loaded = await load(folder, "stored");
  for (const [label, tensor] of made) {
    const other = loaded.made.get(label);
    if (!/weight/.test(label)) continue;
    expect(Buffer.compare(readMemory(tensor), readMemory(other!)), label).toBe(0);
  }
});

test("refuses a folder with files, and a checkpoint that was converted", async () => {
  await writeFile(join(home, "file"), "");
  await expect(convert(home)).rejects.toThrow("is not empty: name a new folder");
  const folder = join(home, "converted");
  await convert(folder);
  const again = convertCommand(folder, join(home, "again"), { format: "q4" }, async () =>
    memoryGpu(),
  );
  await expect(again).rejects.toThrow("was converted already: it loads as it is");
  expect((await readdir(home)).sort()).toEqual(["converted", "file"]);
});

test("names what a folder of another version has", async () => {
  const folder = join(home, "converted");
  await convert(folder);
  const path = join(folder, "config.json");
  const config = JSON.parse(await readFile(path, "utf8")) as {
    quantization_config: { version: number; matrices: Record<string, { version: number }> };
  };
  const [name = "", matrix] = Object.entries(config.quantization_config.matrices)[0]!;
  matrix.version = 9;
  await writeFile(path, JSON.stringify(config));
  await expect(load(folder, "stored")).rejects.toThrow(`${name} is in version 9 of the format`);
  config.quantization_config.version = 2;
  await writeFile(path, JSON.stringify(config));
  await expect(load(folder, "stored")).rejects.toThrow(
    "quantization_config.version is 2, expected 1",
  );
});

test("an interrupt leaves nothing behind", async () => {
  const folder = join(home, "converted");
  const converting = convertCommand(SAMPLE, folder, { format: "q4" }, async () => {
    process.emit("SIGINT");
    return memoryGpu();
  });
  expect(await converting).toBe(130);
  expect(await readdir(home)).toEqual([]);
});
