import type { Gpu } from "../gpu/device.ts";
import { Graph } from "../gpu/graph.ts";
import type { Plan } from "../gpu/plan.ts";
import { type Tensor, bufferOf, firstRows } from "../gpu/tensor.ts";
import type { Model, Weights } from "../models/model.ts";
import { adjustLogits } from "../ops/adjust-logits.ts";
import { gatherRows } from "../ops/gather-rows.ts";
import { LOGPROB_WORDS, logprobs, readLogprobs } from "../ops/logprobs.ts";
import { maskLogits } from "../ops/mask-logits.ts";
import { ROW_WORDS } from "../ops/row.ts";
import { SAMPLE_WORDS, type SequenceSampling, sample, writeSampling } from "../ops/sample.ts";
import type { GeneratedToken, GenerationInput } from "./generation.ts";
import type { KvCache } from "./kv-cache.ts";
import { LogitsProcessors, processesLogits } from "./logits-processors.ts";
import type { ChunkLimits } from "./prefill-bucket.ts";
import { TokenMask } from "./token-mask.ts";

/** The row of the row buffer that receives each sampled token, and that a decode step computes. */
const DECODE_ROW = 0;

/** Read-backs that run at once: that of a step and that of the step before. */
const READBACKS = 2;

/** Words that a step reads back: the token, and its logprobs where they are wanted. */
const READBACK_WORDS = 1 + LOGPROB_WORDS;

/** A replay of a forward plan over the row buffer. */
export interface ForwardPass {
  readonly plan: Plan;
  /** The token row whose logits are wanted. */
  readonly headRow: number;
}

/** What a sampler does besides sampling. Each option costs dispatches only where it is set. */
export interface SamplerOptions {
  readonly greedy: boolean;
  /** Apply the request's logits processors first. */
  readonly processors?: boolean;
  /** Sample only tokens that `Decoder.mask` allows. */
  readonly masked?: boolean;
  readonly logprobs?: boolean;
}

/** A plan that computes logits from the head row's hidden state and samples a token. */
export interface Sampler {
  readonly plan: Plan;
  /** `[1, V]`, the model's own logits */
  readonly logits: Tensor;
  readonly hasLogprobs: boolean;
}

/** What the row of a request's first generated token needs; see `SequenceSampling`. */
export type FirstRow = Pick<
  SequenceSampling,
  "position" | "ropeOffset" | "window" | "crossFirst" | "crossLast"
>;

/** The plans of the text side, and the small buffers that they share. */
export class Decoder {
  readonly limits: ChunkLimits;
  /** Forward passes submitted so far. */
  steps = 0;
  /** The last forward plan and the last logits, for tests and profiles. */
  lastForward: Plan | undefined;
  lastLogits: Tensor | undefined;

  readonly #gpu: Gpu;
  readonly #model: Model;
  readonly #weights: Weights;
  readonly #cache: KvCache;
  readonly #imageStates: readonly Tensor[];
  readonly #captures: boolean;
  readonly #forwards = new Map<number, Promise<Plan>>();
  readonly #samplers = new Map<string, Promise<Sampler>>();
  /** `[maxRows, ROW_WORDS]`: the CPU writes a prompt's chunks, samplers write `DECODE_ROW`. */
  readonly #rows: Tensor;
  /** `[1]`, the `headRow` of the last pass. */
  readonly #headRow: Tensor;
  /** The row that `#headRow` holds now. */
  #writtenHeadRow = 0;
  /** `[1, D]`, the hidden state of the head row. */
  readonly #hidden: Tensor;
  /** `[1, SAMPLE_WORDS]` */
  readonly #sampling: Tensor;
  readonly #samplingWords = new Uint32Array(SAMPLE_WORDS);
  /** `[1]`, the sampled token. */
  readonly #token: Tensor;
  /** `[1]`, how many of the most likely tokens `#logprobs` lists. */
  readonly #topLogprobs: Tensor;
  /** `[1, LOGPROB_WORDS]` */
  readonly #logprobs: Tensor;
  #logitsProcessors: LogitsProcessors | undefined;
  #mask: TokenMask | undefined;
  #samples = 0;
  readonly #staging: readonly GPUBuffer[];

  /** @param imageStates each `[N, D]`, or `[N, width]` where they are cross-attention keys and values */
  constructor(
    gpu: Gpu,
    model: Model,
    weights: Weights,
    cache: KvCache,
    imageStates: readonly Tensor[],
    { captures = false, ...limits }: ChunkLimits & { readonly captures?: boolean | undefined },
  ) {
    this.#gpu = gpu;
    this.#model = model;
    this.#weights = weights;
    this.#cache = cache;
    this.#imageStates = imageStates;
    this.#captures = captures;
    this.limits = limits;
    this.#rows = gpu.tensor("rows", [limits.maxRows, ROW_WORDS], "u32");
    this.#headRow = gpu.tensor("head row", [1], "u32");
    this.#hidden = gpu.tensor("head row's hidden state", [1, model.text.hidden_size]);
    this.#sampling = gpu.tensor("sampling", [1, SAMPLE_WORDS], "u32");
    this.#token = gpu.tensor("token", [1], "u32");
    this.#topLogprobs = gpu.tensor("top logprobs", [1], "u32");
    this.#logprobs = gpu.tensor("logprobs", [1, LOGPROB_WORDS], "u32");
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    this.#staging = Array.from({ length: READBACKS }, () =>
      gpu.buffer("token read-back", READBACK_WORDS * 4, usage),
    );
  }

  /** Compiles what requests need: the largest chunk, the decode step and the greedy sampler. */
  async prepare(): Promise<void> {
    // The largest is recorded first, so that the others find all the scratch memory they need.
    await Promise.all([
      this.forward(this.limits.preparedRows),
      this.forward(1),
      this.sampler({ greedy: true }),
    ]);
  }

  /**
   * @param bucket token rows: 1 for a decode step, or what `prefillBucket` returns
   * @returns the plan over the first `bucket` rows of the row buffer
   */
  forward(bucket: number): Promise<Plan> {
    let plan = this.#forwards.get(bucket);
    if (!plan) {
      plan = this.#recordForward(bucket);
      this.#forwards.set(bucket, plan);
      // A bucket that is too large for the device must not fail the next, smaller request.
      plan.catch(() => this.#forwards.delete(bucket));
    }
    return plan;
  }

  /** @returns the pass over the last sampled token */
  async decodePass(): Promise<ForwardPass> {
    return { plan: await this.forward(1), headRow: DECODE_ROW };
  }

  /** @returns the sampler for these options, which records only the dispatches that they need */
  sampler(options: SamplerOptions): Promise<Sampler> {
    const { greedy, processors, masked, logprobs } = options;
    const name =
      `head, ${processors ? "logits processors, " : ""}${masked ? "masked, " : ""}` +
      `${greedy ? "greedy" : "sampled"}${logprobs ? ", logprobs" : ""}`;
    let sampler = this.#samplers.get(name);
    if (!sampler) {
      sampler = this.#recordSampler(name, options);
      this.#samplers.set(name, sampler);
      // The caller gets the error; the next call must be able to try again.
      sampler.catch(() => this.#samplers.delete(name));
    }
    return sampler;
  }

  /** The buffers that logits processors read, made on first use: they have V elements. */
  get logitsProcessors(): LogitsProcessors {
    this.#logitsProcessors ??= new LogitsProcessors(this.#gpu, this.#model.text.vocab_size);
    return this.#logitsProcessors;
  }

  /** The tokens that masked samplers allow, made on first use. */
  get mask(): TokenMask {
    this.#mask ??= new TokenMask(this.#gpu, this.#model.text.vocab_size);
    return this.#mask;
  }

  /** Writes what the samplers read about a request, before its first token is sampled. */
  begin(input: GenerationInput, firstRow: FirstRow): void {
    writeSampling(this.#samplingWords, 0, { ...input.sampling, ...firstRow, row: DECODE_ROW });
    this.#gpu.write(this.#sampling, this.#samplingWords);
    if (processesLogits(input)) this.logitsProcessors.write(input);
    if (input.logprobs !== undefined) {
      this.#gpu.write(this.#topLogprobs, Uint32Array.of(input.logprobs));
    }
  }

  /** Writes the token rows of the next prefill pass: `[bucket, ROW_WORDS]`. */
  writeRows(words: Uint32Array): void {
    this.#gpu.write(this.#rows, words);
  }

  /** Submits a forward pass without sampling a token. */
  submit(forward: ForwardPass): void {
    this.#prepareStep(forward);
    forward.plan.submit();
  }

  /**
   * Submits a forward pass and samples a token from its head row, in one command buffer. The next step
   * may be submitted before the promise settles.
   */
  step(forward: ForwardPass, sampler: Sampler): Promise<GeneratedToken> {
    this.#prepareStep(forward);
    return this.#submit(sampler, forward.plan);
  }

  /** Samples a token from the last submitted pass: the second half of a step, after `submit`. */
  sample(sampler: Sampler): Promise<GeneratedToken> {
    return this.#submit(sampler);
  }

  #prepareStep({ plan, headRow }: ForwardPass): void {
    this.steps++;
    this.lastForward = plan;
    if (headRow === this.#writtenHeadRow) return;
    this.#gpu.write(this.#headRow, Uint32Array.of(headRow));
    this.#writtenHeadRow = headRow;
  }

  #submit(sampler: Sampler, forward?: Plan): Promise<GeneratedToken> {
    const staging = this.#staging[this.#samples++ % READBACKS] as GPUBuffer;
    const encoder = this.#gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    forward?.encode(pass);
    sampler.plan.encode(pass);
    pass.end();
    encoder.copyBufferToBuffer(bufferOf(this.#token), 0, staging, 0, 4);
    if (sampler.hasLogprobs) {
      encoder.copyBufferToBuffer(bufferOf(this.#logprobs), 0, staging, 4, LOGPROB_WORDS * 4);
    }
    this.#gpu.device.queue.submit([encoder.finish()]);
    this.lastLogits = sampler.logits;
    return readToken(staging, sampler.hasLogprobs);
  }

  async #recordForward(bucket: number): Promise<Plan> {
    const g = new Graph(this.#gpu, { captures: this.#captures });
    const rows = firstRows(this.#rows, bucket);
    const { layers, convolutions } = this.#cache;
    const states = this.#imageStates;
    const x = this.#model.forward(g, this.#weights, rows, states, layers, convolutions); // [bucket, D]
    gatherRows(g, x, this.#headRow, { into: this.#hidden });
    return g.compile(`forward of ${bucket} rows`);
  }

  async #recordSampler(name: string, options: SamplerOptions): Promise<Sampler> {
    const { greedy, processors = false, masked = false, logprobs: hasLogprobs = false } = options;
    const g = new Graph(this.#gpu);
    const logits = g.keep(this.#model.head(g, this.#weights, this.#hidden)); // [1, V]
    let scores = logits;
    if (processors) {
      scores = adjustLogits(g, scores, this.#sampling, this.#token, this.logitsProcessors);
    }
    if (masked) scores = maskLogits(g, scores, this.mask.tensor);
    sample(g, scores, this.#sampling, this.#rows, this.#token, { greedy });
    if (hasLogprobs) logprobs(g, logits, this.#token, this.#topLogprobs, this.#logprobs);
    return { plan: await g.compile(name), logits, hasLogprobs };
  }
}

/** @param staging one read-back of `READBACK_WORDS`, mapped here and unmapped again */
async function readToken(staging: GPUBuffer, hasLogprobs: boolean): Promise<GeneratedToken> {
  await staging.mapAsync(GPUMapMode.READ);
  const words = new Uint32Array(staging.getMappedRange());
  const token = words[0] as number;
  const read = hasLogprobs ? { token, logprobs: readLogprobs(words.subarray(1)) } : { token };
  staging.unmap();
  return read;
}
