import { join } from "node:path";
import { expect, test } from "vitest";
import { FAMILIES } from "../../tests/families.ts";
import { QUANTIZATIONS } from "../weights/formats/registry.ts";
import { PARTS, planMemory } from "./memory-plan.ts";
import { openModel } from "./open-model.ts";

const golden = (name: string) => openModel(join(import.meta.dirname, "../../e2e/goldens", name));

test.each(FAMILIES)("%s", async (name) => {
  const checkpoint = await golden(name);
  const plan = await planMemory(checkpoint, { contextLength: 512 });
  expect(plan.contextLength).toBe(512);

  const disk = PARTS.map((part) => plan.disk[part].bytes);
  expect(disk.reduce((sum, bytes) => sum + bytes, 0)).toBe(checkpoint.weightBytes);
  expect(Math.min(...disk)).toBeGreaterThan(0);

  for (const format of QUANTIZATIONS) {
    const { weights, keysAndValues, images, buffers, total } = plan.gpu[format];
    const parts = PARTS.reduce((sum, part) => sum + weights[part], 0);
    expect(parts + keysAndValues + images + buffers).toBe(total);
    expect(Math.min(...Object.values(weights), images, buffers)).toBeGreaterThan(0);
    expect(keysAndValues).toBe(512 * plan.kvBytesPerToken);
  }
  // In f32 every parameter that is used takes four bytes; small checkpoints use all of them.
  const { weights } = plan.gpu.f32;
  expect(weights.text).toBe(4 * plan.disk.text.parameters);
  const sizes = QUANTIZATIONS.slice(0, 4).map((format) => plan.gpu[format].total);
  expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  // These checkpoints are bf16, and small: they are kept as they are.
  expect(plan.gpu.auto).toEqual(plan.gpu.f16);
});

test("the context is the model's own, and images take what the processor says", async () => {
  const plan = await planMemory(await openModel(undefined));
  expect([plan.contextLength, plan.maxContextLength]).toEqual([2048, 2048]);
  expect(plan.kvBytesPerToken).toBe(4096);
  expect(new Set(plan.imageRows.map(({ rows }) => rows))).toEqual(new Set([16]));
});

test("images that are keys have room of their own, and a token of the context each", async () => {
  const plan = await planMemory(await golden("mllama"), { contextLength: 512 });
  expect(plan.maxImages).toBe(16);
  // Keys and values of two layers, 64 channels, for four tiles of 17 rows.
  expect(plan.gpu.f16.images).toBe(16 * 4 * 17 * 4 * 64 * 4);
  expect(new Set(plan.imageRows.map(({ rows }) => rows))).toEqual(new Set([1]));
  expect((await planMemory(await golden("smolvlm"))).maxImages).toBeUndefined();
});

test("what is no model that runs here is told", async () => {
  const checkpoint = await golden("smolvlm");
  const files = { ...checkpoint.files, "config.json": { model_type: "bert" } };
  await expect(planMemory({ ...checkpoint, files })).rejects.toThrow(/"bert", supported: smolvlm/);
});
