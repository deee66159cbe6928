import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PUBLISHED_REPOSITORIES, publishedRepository } from "../../tests/published-repositories.ts";
import { elementCount } from "../gpu/tensor.ts";
import { createModel } from "../models/registry.ts";
import { OutOfMemoryError } from "../platform/device-error.ts";
import { type RecordedModel, bytesInF16, planAuto, recordModel } from "./plan-auto.ts";

const GIB = 2 ** 30;
/** Memory of simulated devices, in GiB. */
const DEVICES = [2, 4, 8, 16];

/** Two checkpoints take more than 25 GiB at every level. */
const PLANNED = PUBLISHED_REPOSITORIES.filter((name) => !/InternVL3-[37]8B/.test(name));

/** The table of docs/design/weight-formats.md: a row for each model, a cell for each device. */
const TABLE = new Map(
  readFileSync(join(import.meta.dirname, "../../docs/design/weight-formats.md"), "utf8")
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .filter((cells) => cells.length === 7 && cells[1]?.includes("/"))
    .map(([, name = "", ...cells]) => [name, cells.slice(0, 4)] as const),
);

/** Records a model once for each level and context length. */
function remembering() {
  const recorded = new Map<string, Promise<RecordedModel>>();
  const record: typeof recordModel = (create, checkpoint, options, quantization) => {
    const key = JSON.stringify([options.contextLength, options.kvCache, quantization]);
    const known = recorded.get(key) ?? recordModel(create, checkpoint, options, quantization);
    recorded.set(key, known);
    return known;
  };
  return { recorded, record };
}

type Tensors = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** @returns bits of a parameter, for each matrix outside of the text model */
function towerBits({ weights }: RecordedModel, tensors: Tensors): number[] {
  return weights.allocated
    .filter(({ part, role }) => part !== "text" && role)
    .map(({ bytes, tensors: names }) => {
      const parameters = names.map((name) => elementCount(tensors.get(name)!.shape));
      return (bytes * 8) / parameters.reduce((sum, count) => sum + count, 0);
    });
}

test("the table in the docs has every model", () => {
  expect([...TABLE.keys()].sort()).toEqual([...PLANNED].sort());
});

describe.each(PLANNED)("%s", (name) => {
  const { checkpoint } = publishedRepository(name);
  const { recorded, record } = remembering();

  test("is planned for each device as in the docs, and no tower has less than 8 bits", async () => {
    const cells: string[] = [];
    for (const gibibytes of DEVICES) {
      const device = { memoryBytes: gibibytes * GIB };
      const { plan } = await planAuto(createModel, checkpoint, { device }, record);
      const size = (plan.gpuBytes / GIB).toFixed(1);
      const context = plan.reason.includes("a context of") ? `, ${plan.contextLength}` : "";
      const step = plan.kvCache === "f32" ? plan.level : `${plan.level} f16`;
      cells.push(plan.fits ? `${step}${context}: ${size}` : `too large: ${size}`);
    }
    for (const model of recorded.values()) {
      expect(Math.min(...towerBits(await model, checkpoint.tensors))).toBeGreaterThanOrEqual(8);
    }
    expect(cells).toEqual(TABLE.get(name));
  });
});

test.each([
  "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
  // States of convolutions, and keys and values of images, are f32.
  "LiquidAI/LFM2-VL-450M",
  "meta-llama/Llama-3.2-11B-Vision-Instruct",
])("%s: keys and values in f16 that are still too large are not recorded", async (name) => {
  const { checkpoint } = publishedRepository(name);
  const { recorded, record } = remembering();
  const none = planAuto(createModel, checkpoint, { memoryBytes: 1 }, record);
  await expect(none).rejects.toThrow(OutOfMemoryError);
  const levels = [...recorded.keys()].map((key) => (JSON.parse(key) as unknown[]).slice(1));
  expect(levels).toEqual([
    ["f32", { auto: "q8" }],
    ...["q6", "mixed", "q4"].map((auto) => ["f16", { auto }]),
  ]);
  const [wide] = await Promise.all(recorded.values());
  const narrow = await record(createModel, checkpoint, { kvCache: "f16" }, { auto: "q8" });
  expect(bytesInF16(wide!)).toBe(narrow.deviceBytes);
});

test("memoryBytes is a limit, and the error says what is needed", async () => {
  const { checkpoint } = publishedRepository("HuggingFaceTB/SmolVLM2-256M-Video-Instruct");
  const { plan } = await planAuto(createModel, checkpoint, { memoryBytes: 4 * GIB });
  expect(plan).toMatchObject({ level: "q8", fits: true, budgetBytes: 4 * GIB });
  expect(plan.reason).toMatch(/^q8 takes [\d.]+ GiB of 4\.00 GiB \(memoryBytes\)$/);
  const half = await planAuto(createModel, checkpoint, { memoryBytes: plan.gpuBytes - 1 });
  expect(half.plan).toMatchObject({ level: "q8", kvCache: "f16", fits: true });
  expect(half.plan.reason).toMatch(
    /^q8 with keys and values in f16 takes .* \(memoryBytes\); q8 would take [\d.]+ GiB$/,
  );
  const wanted = { memoryBytes: plan.gpuBytes - 1, kvCache: "f32" } as const;
  const narrower = await planAuto(createModel, checkpoint, wanted);
  expect(narrower.plan).toMatchObject({ level: "q6", kvCache: "f32", fits: true });
  const tight = planAuto(createModel, checkpoint, { memoryBytes: GIB / 10 });
  await expect(tight).rejects.toThrow(OutOfMemoryError);
  await expect(tight).rejects.toThrow(/needs 0\.\d+ GiB .* memoryBytes allows 0\.10 GiB/);
});
