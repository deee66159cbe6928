import { type Gpu, openGpu } from "../../src/gpu/device.ts";
import { Graph } from "../../src/gpu/graph.ts";
import { loadShaders } from "../../src/gpu/shaders/load-shaders.ts";
import { bufferOf } from "../../src/gpu/tensor.ts";
import type { Weight } from "../../src/gpu/weight.ts";
import { linear } from "../../src/ops/linear.ts";
import { f32 } from "../../src/weights/formats/f32.ts";
import { q4 } from "../../src/weights/formats/q4.ts";
import { q6 } from "../../src/weights/formats/q6.ts";
import { q8 } from "../../src/weights/formats/q8.ts";
import { makeWeight } from "../../tests/weight-formats.ts";
import type { Matrix } from "./cases.ts";
import type { Contender } from "./timing.ts";
import type { Source } from "./weights.ts";

const FORMATS = { f32, q8, q6, q4 };

export async function openOurs(): Promise<Gpu> {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("bench: this browser has no WebGPU adapter");
  return openGpu(adapter, loadShaders);
}

export function uploadWeight(gpu: Gpu, matrix: Matrix, source: Source): Promise<Weight> {
  const { O, D, format } = matrix;
  return makeWeight(gpu, source.values, [O, D], FORMATS[format]);
}

export function releaseWeight(gpu: Gpu, weight: Weight): void {
  for (const { parts } of weight.slices) for (const part of parts) gpu.release(bufferOf(part));
}

/** @param x `[T, D]` */
export async function ours(gpu: Gpu, weight: Weight, x: Float32Array): Promise<Contender> {
  const D = weight.shape[1];
  const input = gpu.tensor("x", [x.length / D, D], "f32", x);
  const g = new Graph(gpu);
  const y = g.keep(linear(g, input, weight));
  const plan = await g.compile();
  return {
    run: () => plan.submit(),
    done: () => gpu.device.queue.onSubmittedWorkDone(),
    read: () => gpu.read(y),
    dispose() {
      plan.dispose();
      gpu.release(bufferOf(input));
    },
  };
}
