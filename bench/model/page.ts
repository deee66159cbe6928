import { Engine } from "../../src/engine/engine.ts";
import type { GenerationInput } from "../../src/engine/generation.ts";
import { type Gpu, openGpu } from "../../src/gpu/device.ts";
import { profile, summarize } from "../../src/gpu/profile.ts";
import type { CheckpointFiles } from "../../src/models/model.ts";
import { createModel } from "../../src/models/registry.ts";
import { type Checkpoint, openCheckpoint } from "../../src/weights/checkpoint.ts";
import { GpuWeights } from "../../src/weights/gpu-weights.ts";
import { resolveSource } from "../../src/weights/source.ts";
import type { Quantization } from "../../src/weights/choose-format.ts";
import { SMOLVLM_256M, SMOLVLM_PREPROCESSOR, smolvlmTensors } from "./shapes.ts";

/** What is measured of one model in one format. */
export interface ModelResult {
  readonly decodeTokensPerSecond: number;
  readonly prefillTokensPerSecond: number;
  readonly prefillRows: number;
  readonly visionMsPerTile: number;
  readonly dispatchesPerToken: number;
  readonly scriptMsPerToken: number;
  readonly weightBytes: number;
  readonly peakGpuBytes: number;
  readonly pipelines: number;
  /** Milliseconds by kernel of one decode step, the slowest first. */
  readonly decodeProfile: readonly { name: string; ms: number; count: number }[];
}

/** A tile of a real model takes about a minute on a software adapter. */
const VISION_RUNS = 1;

type Source = Pick<Checkpoint, "id" | "files" | "tensors" | "weightBytes" | "stream">;

/** @param tokens decode steps that are timed */
export async function measureSmolvlm256m(
  quantization: Quantization,
  tokens: number,
): Promise<ModelResult> {
  return measure(randomCheckpoint(), quantization, 64, tokens);
}

export async function measureSample(
  quantization: Quantization,
  tokens: number,
): Promise<ModelResult> {
  const source = resolveSource("/models/sample", { base: location.href });
  return measure(await openCheckpoint(source), quantization, 256, tokens);
}

async function measure(
  checkpoint: Source,
  quantization: Quantization,
  prefillRows: number,
  tokens: number,
): Promise<ModelResult> {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("bench: no WebGPU adapter");
  const gpu = await openGpu(adapter);
  try {
    const model = createModel(checkpoint.files);
    const weights = new GpuWeights(gpu, checkpoint, { quantization });
    const tile = { tiles: 1, write: () => {}, release: () => {} };
    const options = { contextLength: 1024, prefillRows };
    const engine = new Engine(gpu, model, weights, async () => tile, options);
    const prepared = engine.prepare();
    await weights.load(checkpoint);
    await prepared;

    const visionMsPerTile = await median(VISION_RUNS, () => timeVision(gpu, engine));
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
      engine.decoder.forward(1),
      engine.decoder.finish(true),
    ]);
    return {
      decodeTokensPerSecond: (tokens / (withAnswerMs - prefillMs)) * 1000,
      prefillTokensPerSecond: (prefillRows / prefillMs) * 1000,
      prefillRows,
      visionMsPerTile,
      dispatchesPerToken: step.steps.length + plan.steps.length,
      scriptMsPerToken,
      weightBytes: gpu.bytes,
      peakGpuBytes: gpu.peakBytes,
      pipelines: gpu.pipelineCount,
      decodeProfile: summarize([...(await profile(gpu, step)), ...(await profile(gpu, plan))]),
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

async function timeVision(gpu: Gpu, engine: Engine): Promise<number> {
  const begin = performance.now();
  const tile = { tiles: 1, write: () => {}, release: () => {} };
  await engine.vision.encode(tile, engine.imageEmbeddings, 0);
  await gpu.device.queue.onSubmittedWorkDone();
  return performance.now() - begin;
}

/** @returns a function that tells the script time spent in `step` since, and stops watching */
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

/** Runs once to warm up, then `times` times. */
async function median(times: number, measureOnce: () => Promise<number>): Promise<number> {
  await measureOnce();
  const all: number[] = [];
  for (let i = 0; i < times; i++) all.push(await measureOnce());
  all.sort((a, b) => a - b);
  return all[times >> 1] as number;
}

/** A checkpoint in bf16 whose bytes are made as they are asked for. */
function randomCheckpoint(): Source {
  const files: CheckpointFiles = {
    "config.json": SMOLVLM_256M,
    "preprocessor_config.json": SMOLVLM_PREPROCESSOR,
    "processor_config.json": { image_seq_len: 64 },
  };
  const tensors = new Map<
    string,
    { dtype: "BF16"; shape: number[]; file: string; begin: number; end: number }
  >();
  let end = 0;
  for (const [name, shape] of smolvlmTensors(SMOLVLM_256M)) {
    const begin = end;
    end += shape.reduce((product, size) => product * size, 2);
    tensors.set(name, { dtype: "BF16", shape, file: "model.safetensors", begin, end });
  }
  return {
    id: "SmolVLM-256M with random weights",
    files,
    tensors,
    weightBytes: end,
    async *stream() {
      const chunk = new Uint8Array(8 << 20);
      const words = new Uint16Array(chunk.buffer);
      // About ±0.03 with any mantissa and sign.
      words.forEach((_, i) => (words[i] = 0x3c80 ^ ((i * 40503) & 0x81ff)));
      for (let offset = 0; offset < end; offset += chunk.length) {
        const bytes = chunk.subarray(0, Math.min(chunk.length, end - offset));
        yield { file: "model.safetensors", begin: offset, bytes, network: false };
      }
    },
  };
}
