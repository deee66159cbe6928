import { Engine } from "../../src/engine/engine.ts";
import type { GenerationInput } from "../../src/engine/generation.ts";
import { type Gpu, openGpu } from "../../src/gpu/device.ts";
import { loadShaders } from "../../src/gpu/shaders/load-shaders.ts";
import type { ImageLayout } from "../../src/models/model.ts";
import { createModel } from "../../src/models/registry.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import type { QuantizationName } from "../../src/weights/formats/registry.ts";
import { GpuWeights } from "../../src/weights/gpu-weights.ts";
import { resolveSource } from "../../src/weights/source.ts";
import { SHAPES } from "../../tests/families.ts";
import { type Source, randomCheckpoint } from "../../tests/shapes/random-checkpoint.ts";
import { profile, summarize } from "../profile.ts";

/** Measurements of one model in one weight format. */
export interface ModelResult {
  readonly decodeTokensPerSecond: number;
  readonly prefillTokensPerSecond: number;
  readonly prefillRows: number;
  readonly visionMs: number;
  readonly visionPatches: number;
  readonly dispatchesPerToken: number;
  readonly scriptMsPerToken: number;
  readonly gpuBytes: number;
  readonly peakGpuBytes: number;
  readonly pipelines: number;
  /** Times of one decode step. */
  readonly decodeProfile: Profile;
  /** Times of one prefill chunk. */
  readonly prefillProfile: Profile;
}

/** Milliseconds per kernel, the slowest first. */
export type Profile = ReturnType<typeof summarize>;

/** The patches of an image of one tile, which are not written. */
const BLANK = { tiles: 1, write: () => {}, release: () => {} };

/** One run, because a tile of a real model takes about a minute on a software adapter. */
const VISION_RUNS = 1;

interface Candidate {
  open(): Source | Promise<Source>;
  readonly prefillRows: number;
  /** The image to encode: width, height, `image_url.detail`. */
  readonly image: readonly [width: number, height: number, detail: "low" | "high"];
}

const SAMPLE: Candidate = {
  open: () => openCheckpoint(resolveSource("/models/sample", { base: location.href })),
  prefillRows: 256,
  image: [512, 512, "low"],
};

/** @param shape the name of a published shape; without it, the sample model is opened */
function candidate(shape?: string): Candidate {
  if (shape === undefined) return SAMPLE;
  const { make, bench } = SHAPES.find(({ name }) => name === shape) ?? {};
  if (!make || !bench) throw new Error(`measure: there is no shape ${shape}`);
  return { open: () => randomCheckpoint(make(bench.cut)), prefillRows: 64, image: bench.image };
}

/** @param tokens number of decode steps to time */
export async function measure(
  shape: string | undefined,
  quantization: QuantizationName,
  tokens: number,
): Promise<ModelResult> {
  const { open, prefillRows, image } = candidate(shape);
  const checkpoint = await open();
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("bench: no WebGPU adapter");
  const gpu = await openGpu(adapter, loadShaders);
  try {
    const model = createModel(checkpoint.files);
    const weights = new GpuWeights(gpu, checkpoint, {
      quantization,
      storedNames: model.storedNames,
    });
    const options = { contextLength: 1024, prefillRows, prefixCache: false };
    const engine = new Engine(gpu, model, weights, async () => BLANK, options);
    const prepared = engine.prepare();
    await weights.load(checkpoint);
    await prepared;

    const layout = model.processor.layout(...image);
    const visionMs = await median(VISION_RUNS, () => timeVision(gpu, engine, layout));
    const ids = Array.from({ length: prefillRows }, (_, i) => 10 + (i % 100));
    const input: GenerationInput = {
      ids,
      images: [],
      maxTokens: 1,
      stopTokenIds: [],
      sampling: { temperature: 0, topK: 0, topP: 1, minP: 0, seed: 0 },
    };
    await run(engine, input);
    const prefillMs = await median(3, () => run(engine, input));
    const script = watchScript(engine);
    const withAnswerMs = await run(engine, { ...input, maxTokens: tokens + 1 });
    const scriptMsPerToken = script() / (tokens + 1);
    const [step, { plan }] = await Promise.all([
      engine.decoder.decode(1),
      engine.decoder.sampler(1, { greedy: true }),
    ]);
    return {
      decodeTokensPerSecond: (tokens / (withAnswerMs - prefillMs)) * 1000,
      prefillTokensPerSecond: (prefillRows / prefillMs) * 1000,
      prefillRows,
      visionMs,
      visionPatches: layout.tiles.length * layout.grid[0] * layout.grid[1],
      dispatchesPerToken: step.steps.length + plan.steps.length,
      scriptMsPerToken,
      gpuBytes: gpu.bytes,
      peakGpuBytes: gpu.peakBytes,
      pipelines: gpu.pipelineCount,
      decodeProfile: summarize([...(await profile(gpu, step)), ...(await profile(gpu, plan))]),
      prefillProfile: summarize(await profile(gpu, await engine.decoder.forward(prefillRows))),
    };
  } finally {
    gpu.destroy();
  }
}

async function run(engine: Engine, input: GenerationInput): Promise<number> {
  const begin = performance.now();
  const tokens = engine.generate(input);
  while (!(await tokens.next()).done);
  return performance.now() - begin;
}

async function timeVision(gpu: Gpu, engine: Engine, layout: ImageLayout): Promise<number> {
  const begin = performance.now();
  const rows = layout.attendedKeys ?? layout.tokenCount;
  const targets = Uint32Array.from({ length: rows }, (_, i) => i);
  await engine.vision.encode(BLANK, layout, targets);
  await gpu.device.queue.onSubmittedWorkDone();
  return performance.now() - begin;
}

/** @returns a function that stops watching and returns the script time spent in `step`, in milliseconds */
function watchScript(engine: Engine): () => number {
  const { decoder } = engine;
  const step = decoder.step.bind(decoder);
  let ms = 0;
  decoder.step = (...planned) => {
    const begin = performance.now();
    const token = step(...planned);
    ms += performance.now() - begin;
    return token;
  };
  return () => {
    decoder.step = step;
    return ms;
  };
}

/** The median of `times` runs, after one run to warm up. */
async function median(times: number, measureOnce: () => Promise<number>): Promise<number> {
  await measureOnce();
  const all: number[] = [];
  for (let i = 0; i < times; i++) all.push(await measureOnce());
  all.sort((a, b) => a - b);
  return all[times >> 1] as number;
}
