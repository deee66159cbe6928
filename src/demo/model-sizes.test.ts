import { join } from "node:path";
import { expect, test } from "vitest";
import { WHOLE_MODELS } from "../../tests/families.ts";
import { randomCheckpoint } from "../../tests/shapes/random-checkpoint.ts";
import { openModel } from "../cli/open-model.ts";
import { createModel } from "../models/registry.ts";
import { type ModelPlan, planCheckpoint } from "../runtime/plan-checkpoint.ts";
import { OFFERS, SAMPLE, type Sizes } from "./catalogue.ts";
import SIZES from "./model-sizes.json";

const sizes: Readonly<Record<string, Sizes>> = SIZES;

test("every offer has its sizes, and there are no others", () => {
  expect(Object.keys(sizes)).toEqual(OFFERS.map(({ source }) => source));
});

/** Within one percent. If this fails, `npm run model-sizes` updates the numbers. */
function expectSizes(source: string, { downloadBytes, gpu }: ModelPlan): void {
  const listed = sizes[source] as Sizes;
  expect(Math.abs(listed.downloadBytes / downloadBytes - 1)).toBeLessThan(0.01);
  for (const [quantization, bytes] of Object.entries(listed.gpuBytes)) {
    const { total } = gpu[quantization as keyof typeof gpu];
    expect(Math.abs(bytes / total - 1), quantization).toBeLessThan(0.01);
  }
}

test("the sample's sizes are those of its files", async () => {
  const folder = join(import.meta.dirname, "../../public/models/sample");
  expectSizes(SAMPLE, await planCheckpoint(createModel, await openModel(folder)));
});

// Three kinds of memory: tiles in the prompt, one large image, and cross-attention.
test.each([
  "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
  "Qwen/Qwen2.5-VL-3B-Instruct",
  "meta-llama/Llama-3.2-11B-Vision-Instruct",
])("the sizes of %s are those of its shapes", async (source) => {
  const shape = WHOLE_MODELS[source] ?? expect.fail("no such shapes");
  expectSizes(source, await planCheckpoint(createModel, randomCheckpoint(shape())));
});
