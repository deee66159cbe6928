import { affordableContext } from "../engine/kv-cache.ts";
import { chooseFormat } from "../weights/choose-format.ts";
import { rowBytes } from "../weights/format.ts";
import { bf16 } from "../weights/formats/bf16.ts";
import type { Offer, Part } from "./catalogue.ts";
import type { Quantization } from "./settings.ts";

/** Weights of a row that every format holds without a rest. */
const ROW = 1024;

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
    const format = chooseFormat({ quantization, stored: bf16, D: ROW, checkpointBytes, role });
    return total + (count / ROW) * rowBytes(format, ROW);
  }, cacheBytes(offer));
}
