import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openModel } from "../src/cli/open-model.ts";
import { OFFERS, type Offer, SAMPLE, type Sizes } from "../src/demo/catalogue.ts";
import { createModel } from "../src/models/registry.ts";
import { planCheckpoint } from "../src/runtime/plan-checkpoint.ts";
import type { Checkpoint } from "../src/weights/checkpoint.ts";
import { QUANTIZATIONS } from "../src/weights/formats/registry.ts";
import { WHOLE_MODELS } from "../tests/families.ts";
import { PUBLISHED_REPOSITORIES, publishedRepository } from "../tests/published-repositories.ts";
import { randomCheckpoint } from "../tests/shapes/random-checkpoint.ts";

const FILE = join(import.meta.dirname, "../src/demo/model-sizes.json");

/**
 * `npm run model-sizes`: updates the sizes that the demo page shows for its models. They are read from
 * the hub, as by `webvlm inspect`. If the hub can't be reached, they are computed from the shapes that
 * the tests know; a model of unknown shapes keeps its numbers.
 *
 * @returns the exit code
 */
export async function main(): Promise<number> {
  const sizes: Record<string, Sizes> = {};
  for (const offer of OFFERS) sizes[offer.source] = await sizesOf(offer);
  writeFileSync(FILE, `${JSON.stringify(sizes, null, 2)}\n`);
  return 0;
}

async function sizesOf({ source, downloadBytes, gpuBytes }: Offer): Promise<Sizes> {
  const checkpoint = await open(source);
  if (!checkpoint) {
    console.log(`${source}: unchanged`);
    return { downloadBytes, gpuBytes };
  }
  const { gpu, ...plan } = await planCheckpoint(createModel, checkpoint);
  const totals = QUANTIZATIONS.map((name) => [name, gpu[name].total] as const);
  return { downloadBytes: plan.downloadBytes, gpuBytes: Object.fromEntries(totals) };
}

async function open(source: string): Promise<Checkpoint | undefined> {
  if (source === SAMPLE) return openModel(undefined);
  try {
    return await openModel(source, { weights: false, retryDelayMs: 0 });
  } catch (error) {
    console.log(`${source}: ${(error as Error).message}`);
    const shape = WHOLE_MODELS[source];
    if (shape) return randomCheckpoint(shape());
    return PUBLISHED_REPOSITORIES.includes(source)
      ? publishedRepository(source).checkpoint
      : undefined;
  }
}
