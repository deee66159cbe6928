import type { Gpu } from "../gpu/device.ts";
import { Graph } from "../gpu/graph.ts";
import type { Plan } from "../gpu/plan.ts";
import { type Tensor, bufferOf, firstRows } from "../gpu/tensor.ts";
import type { Model, Weights } from "../models/model.ts";
import { adjustLogits } from "../ops/adjust-logits.ts";
import { LOGPROB_WORDS, logprobs, readLogprobs } from "../ops/logprobs.ts";
import { maskLogits } from "../ops/mask-logits.ts";
import { NOWHERE, ROW_WORDS } from "../ops/row.ts";
import { sample } from "../ops/sample.ts";
import { scatterRows } from "../ops/scatter-rows.ts";
import type { GeneratedToken } from "./generation.ts";
import type { KvCache } from "./kv-cache.ts";
import type { ChunkLimits } from "./prefill-bucket.ts";
import { MAX_SLOTS, Slots } from "./slots.ts";

/** What a sampler does besides sampling. Each option costs dispatches only where it is set. */
export interface SamplerOptions {
  /** All slots are greedy. */
  readonly greedy: boolean;
  /** Apply logits processors first. */
  readonly processors?: boolean;
  /** Sample only tokens that `Slots.mask` allows. */
  readonly masked?: boolean;
  readonly logprobs?: boolean;
}

/** A plan that computes logits from hidden states and samples a token in each of the first slots. */
export interface Sampler {
  readonly plan: Plan;
  /** `[batch, V]`, the model's own logits */
  readonly logits: Tensor;
  /** Slots that it samples in, from the first on. */
  readonly batch: number;
  readonly hasLogprobs: boolean;
}

/** The plans of the text side, and the small buffers that they share. */
export class Decoder {
  readonly limits: ChunkLimits;
  readonly slots: Slots;
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
  readonly #plans = new Map<string, Promise<Plan>>();
  readonly #samplers = new Map<string, Promise<Sampler>>();
  /** `[maxRows, ROW_WORDS]`, the rows of a chunk. */
  readonly #rows: Tensor;
  /** `[maxRows]`, the slot that samples from each row of a chunk. */
  readonly #headSlots: Tensor;
  /** `[MAX_SLOTS, D]`, the hidden states that the next tokens are sampled from. */
  readonly #hidden: Tensor;
  /** Read-backs that are not in use. */
  readonly #staging: GPUBuffer[] = [];

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
    this.slots = new Slots(gpu, model.text.vocab_size);
    const rows = Math.max(limits.maxRows, MAX_SLOTS);
    this.#rows = gpu.tensor("chunk rows", [rows, ROW_WORDS], "u32");
    this.#headSlots = gpu.tensor("head slots", [rows], "u32");
    this.#hidden = gpu.tensor("hidden states", [MAX_SLOTS, model.text.hidden_size]);
  }

  /** Compiles what requests need: the largest chunk, the decode step and the greedy sampler. */
  async prepare(): Promise<void> {
    // The largest is recorded first, so that the others find all the scratch memory they need.
    await Promise.all([
      this.forward(this.limits.preparedRows),
      this.decode(1),
      this.sampler(1, { greedy: true }),
    ]);
  }

  /**
   * @param bucket token rows: what `prefillBucket` returns, or `MAX_SLOTS` to compute rows as decode
   *   steps do
   * @returns the plan over the first `bucket` rows of a chunk
   */
  forward(bucket: number): Promise<Plan> {
    return this.#recorded(`forward of ${bucket} rows`, (g) => {
      const x = this.#record(g, firstRows(this.#rows, bucket)); // [bucket, D]
      scatterRows(g, x, firstRows(this.#headSlots, bucket), this.#hidden);
    });
  }

  /** @returns the plan over the rows of the first `batch` slots */
  decode(batch: number): Promise<Plan> {
    return this.#recorded(`decode of ${batch} rows`, (g) => {
      const x = this.#record(g, firstRows(this.slots.rows, batch)); // [batch, D]
      g.place(x, this.#hidden);
    });
  }

  /** @returns the sampler for these options, which records only the dispatches that they need */
  sampler(batch: number, options: SamplerOptions): Promise<Sampler> {
    const { greedy, processors, masked, logprobs } = options;
    const name =
      `head of ${batch}, ${processors ? "logits processors, " : ""}${masked ? "masked, " : ""}` +
      `${greedy ? "greedy" : "sampled"}${logprobs ? ", logprobs" : ""}`;
    return orMake(this.#samplers, name, () => this.#recordSampler(name, batch, options));
  }

  /**
   * Writes the token rows of the next chunk.
   *
   * @param words `[bucket, ROW_WORDS]`
   * @param head the row that a token is sampled from, and the slot that samples it. Default: none
   */
  writeChunk(words: Uint32Array, head?: { readonly row: number; readonly slot: number }): void {
    const headSlots = new Uint32Array(words.length / ROW_WORDS).fill(NOWHERE);
    if (head) headSlots[head.row] = head.slot;
    this.#gpu.write(this.#rows, words);
    this.#gpu.write(this.#headSlots, headSlots);
  }

  /** Submits forward passes without sampling tokens. */
  submit(passes: readonly Plan[]): void {
    const encoder = this.#gpu.device.createCommandEncoder({ label: "forward" });
    this.#encode(encoder, passes);
    this.#gpu.device.queue.submit([encoder.finish()]);
  }

  /**
   * Submits forward passes, and samples a token in each slot of the sampler, in one command buffer. The
   * next step may be submitted before the promise settles.
   *
   * @returns the tokens by slot; those of idle slots mean nothing
   */
  step(passes: readonly Plan[], sampler: Sampler): Promise<GeneratedToken[]> {
    const { batch, hasLogprobs, logits, plan } = sampler;
    const staging = this.#staging.pop() ?? this.#newStaging();
    const encoder = this.#gpu.device.createCommandEncoder({ label: "step" });
    this.#encode(encoder, passes, plan);
    const { tokens, logprobs } = this.slots;
    encoder.copyBufferToBuffer(bufferOf(tokens), 0, staging, 0, 4 * batch);
    if (hasLogprobs) {
      const bytes = 4 * batch * LOGPROB_WORDS;
      encoder.copyBufferToBuffer(bufferOf(logprobs), 0, staging, 4 * MAX_SLOTS, bytes);
    }
    this.#gpu.device.queue.submit([encoder.finish()]);
    this.lastLogits = logits;
    return this.#read(staging, sampler);
  }

  #encode(encoder: GPUCommandEncoder, passes: readonly Plan[], sampler?: Plan): void {
    const pass = encoder.beginComputePass();
    for (const plan of passes) {
      plan.encode(pass);
      this.steps++;
      this.lastForward = plan;
    }
    sampler?.encode(pass);
    pass.end();
  }

  #newStaging(): GPUBuffer {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return this.#gpu.buffer("token read-back", 4 * MAX_SLOTS * (1 + LOGPROB_WORDS), usage);
  }

  async #read(staging: GPUBuffer, { batch, hasLogprobs }: Sampler): Promise<GeneratedToken[]> {
    await staging.mapAsync(GPUMapMode.READ);
    const words = new Uint32Array(staging.getMappedRange());
    const read = Array.from({ length: batch }, (_, slot): GeneratedToken => {
      const token = words[slot] as number;
      if (!hasLogprobs) return { token };
      const start = MAX_SLOTS + slot * LOGPROB_WORDS;
      return { token, logprobs: readLogprobs(words.subarray(start, start + LOGPROB_WORDS)) };
    });
    staging.unmap();
    this.#staging.push(staging);
    return read;
  }

  #recorded(name: string, record: (g: Graph) => void): Promise<Plan> {
    return orMake(this.#plans, name, () => {
      const g = new Graph(this.#gpu, { captures: this.#captures });
      record(g);
      return g.compile(name);
    });
  }

  #record(g: Graph, rows: Tensor): Tensor {
    const { layers, convolutions } = this.#cache;
    return this.#model.forward(g, this.#weights, rows, this.#imageStates, layers, convolutions);
  }

  async #recordSampler(name: string, batch: number, options: SamplerOptions): Promise<Sampler> {
    const { greedy, processors = false, masked = false, logprobs: hasLogprobs = false } = options;
    const { slots } = this;
    const g = new Graph(this.#gpu);
    const first = (tensor: Tensor): Tensor => firstRows(tensor, batch);
    const logits = g.keep(this.#model.head(g, this.#weights, first(this.#hidden))); // [batch, V]
    const [sampling, tokens] = [first(slots.sampling), first(slots.tokens)];
    let scores = logits;
    if (processors) {
      const { penalties, history, bias } = slots.processors;
      const adjustment = {
        penalties: first(penalties),
        history: first(history),
        bias: first(bias),
      };
      scores = adjustLogits(g, scores, sampling, tokens, adjustment);
    }
    if (masked) scores = maskLogits(g, scores, first(slots.mask.tensor));
    sample(g, scores, sampling, slots.rows, tokens, { greedy });
    if (hasLogprobs) logprobs(g, logits, tokens, first(slots.topLogprobs), first(slots.logprobs));
    return { plan: await g.compile(name), logits, batch, hasLogprobs };
  }
}

/** @returns the promise of a name, made on the first call and after each failure */
function orMake<T>(
  made: Map<string, Promise<T>>,
  name: string,
  make: () => Promise<T>,
): Promise<T> {
  let promise = made.get(name);
  if (!promise) {
    promise = make();
    made.set(name, promise);
    // The caller gets the error. A bucket that is too large for the device must not fail the next,
    // smaller request, and a later call may succeed.
    promise.catch(() => made.delete(name));
  }
  return promise;
}
