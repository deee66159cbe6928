import type { KvType } from "../../src/ops/cache.ts";
import type { Quantization } from "../../src/weights/choose-format.ts";

/** A way to store a model, for the table of docs/design/weight-formats.md. */
export interface Level {
  readonly title: string;
  readonly quantization: Quantization;
  readonly kvCache?: KvType;
}

export const LEVELS: readonly Level[] = [
  { title: "f16", quantization: "f16" },
  { title: "f32, keys and values in f16", quantization: "f32", kvCache: "f16" },
  { title: "q8", quantization: { auto: "q8" } },
  { title: "q6", quantization: { auto: "q6" } },
  { title: "mixed", quantization: { auto: "mixed" } },
  { title: "q4", quantization: { auto: "q4" } },
];

/** Tokens that a level keeps. */
export interface Kept {
  readonly kept: number;
  readonly all: number;
}
