import { kvBytesPerToken } from "../engine/kv-cache.ts";
import type { PlanStep } from "../gpu/plan.ts";
import type { AssembledModel } from "./assemble.ts";

/** What the GPU does for one token of a greedy answer, after `DECODE_CONTEXT` tokens. */
export interface DecodeCost {
  /** Kernels, one after another. A replay makes three calls for each: pipeline, bind group, grid. */
  readonly dispatches: number;
  /** Bytes of weights, keys and values that are read. What kernels pass on to each other is not counted. */
  readonly bytes: number;
  /** Those of weights. Of the token embeddings it is one row, unless they are the head too. */
  readonly weightBytes: number;
  /** Those of the cache. Windows that are shorter than the context are not considered. */
  readonly kvBytes: number;
}

/** Tokens before the one that is counted. */
export const DECODE_CONTEXT = 1000;

/**
 * Counts what a decoded token costs, by the plans that run for it.
 *
 * @param assembled a model that is recorded on `countingGpu`
 */
export async function decodeCost({ model, weights, engine }: AssembledModel): Promise<DecodeCost> {
  const [forward, sampler] = await Promise.all([
    engine.decoder.decode(1),
    engine.decoder.sampler(1, { greedy: true }),
  ]);
  const steps = [...forward.steps, ...sampler.plan.steps];
  const owned = new Set(weights.buffers);
  let weightBytes = 0;
  for (const step of steps) {
    const isLookup = step.name.startsWith("embed");
    for (const { buffer, size } of boundTo(step)) {
      if (owned.has(buffer)) weightBytes += isLookup ? size / model.text.vocab_size : size;
    }
  }
  weightBytes = Math.round(weightBytes);
  const kvBytes = kvBytesPerToken(model.text, engine.kvCache) * DECODE_CONTEXT;
  return { dispatches: steps.length, bytes: weightBytes + kvBytes, weightBytes, kvBytes };
}

/** What a step of a plan on `countingGpu` binds. */
function boundTo({ bindGroup }: PlanStep): { buffer: GPUBuffer; size: number }[] {
  const { entries } = bindGroup as unknown as GPUBindGroupDescriptor;
  return Array.from(entries, ({ resource }) => resource as { buffer: GPUBuffer; size: number });
}
