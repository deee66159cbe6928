import { affordableContext } from "../engine/kv-cache.ts";
import type { WeightFormat } from "../gpu/weight.ts";
import { chooseFormat } from "../weights/choose-format.ts";
import { BLOCK } from "../weights/format.ts";
import type { Offer, Part } from "./catalogue.ts";
import type { Quantization } from "./settings.ts";

/** A weight with its share of a scale. */
export const BYTES_PER_WEIGHT: Readonly<Record<WeightFormat, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  q8: 1 + 8 / BLOCK,
  q4: 0.5 + 4 / BLOCK,
};

/** What its keys and values take, for the context and the images that the engine gives it. */
export function cacheBytes({ tokenBytes, contextLength, imageBytes = 0 }: Offer): number {
  return affordableContext(tokenBytes, contextLength) * tokenBytes + imageBytes;
}

/**
 * What a model takes on the GPU: weights, keys and values. Rows of odd length and activations come
 * on top, some percent.
 */
export function gpuBytes(offer: Offer, quantization: Quantization): number {
  const { downloadBytes: checkpointBytes, weights } = offer;
  const parts = Object.entries(weights) as [Part, number][];
  return parts.reduce((total, [part, count]) => {
    const role = part === "embedding" ? "embedding" : "layer";
    const format = chooseFormat({ quantization, dtype: "BF16", D: BLOCK, checkpointBytes, role });
    return total + count * BYTES_PER_WEIGHT[format];
  }, cacheBytes(offer));
}
