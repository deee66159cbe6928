import type { Gpu } from "../gpu/device.ts";
import { Graph } from "../gpu/graph.ts";
import type { Plan } from "../gpu/plan.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import type { Model, Weights } from "../models/model.ts";
import { adjustLogits } from "../ops/adjust-logits.ts";
import { gatherRows } from "../ops/gather-rows.ts";
import { LOGPROB_WORDS, logprobs, readLogprobs } from "../ops/logprobs.ts";
import { maskLogits } from "../ops/mask-logits.ts";
import { ROW_WORDS } from "../ops/row.ts";
import { SAMPLE_WORDS, sample } from "../ops/sample.ts";
import type { GeneratedToken } from "./generation.ts";
import type { KvCache } from "./kv-cache.ts";
import { LogitsProcessors } from "./logits-processors.ts";
import { TokenMask } from "./token-mask.ts";

/**
 * Row buckets of prefill; one more row than a bucket holds pays for the next. None is so small that
 * its kernels would be those of a decode step, which add in another order: so the numbers of a
 * prompt's row don't depend on how the prompt was cut, or on how much of it was cached.
 */
const BUCKETS = [32, 64, 128, 256, 512, 1024];

/** Larger buckets are multiples of this. */
const LARGE_STEP = 1024;

/** Read-backs that may be under way at once: a step's own and the one before it. */
const READBACKS = 2;

/** Words that a step reads back: the token, and its logprobs where they are asked for. */
const READBACK_WORDS = 1 + LOGPROB_WORDS;

/** What a request asks of a step, after the forward pass. */
export interface SamplerOptions {
  readonly greedy: boolean;
  /** Adjust the logits by `adjustments` first. */
  readonly adjust?: boolean;
  /** Draw only what `mask` allows. */
  readonly masked?: boolean;
  readonly logprobs?: boolean;
}

/** A plan that makes logits of a hidden state, and draws a token. */
export interface Sampler {
  readonly plan: Plan;
  /** `[1, V]` the model's own */
  readonly logits: Tensor;
  readonly logprobs: boolean;
}

/** Plans of the text side, and the small buffers that they share. */
export class Decoder {
  /** `[mostRows, ROW_WORDS]`; row 0 is the decode row that `sample` advances. */
  readonly rows: Tensor;
  /** `[1, SAMPLE_WORDS]` */
  readonly sampling: Tensor;
  /** `[1]` how many of the most likely tokens are told with their logprobs. */
  readonly topLogprobs: Tensor;
  /** Forward passes submitted so far. */
  steps = 0;
  /** What ran last, for tests and profiles. */
  lastForward: Plan | undefined;
  lastLogits: Tensor | undefined;

  readonly #gpu: Gpu;
  readonly #model: Model;
  readonly #weights: Weights;
  readonly #cache: KvCache;
  readonly #images: readonly Tensor[];
  readonly #captures: boolean;
  readonly #buckets: readonly number[];
  readonly #mostRows: number;
  readonly #forwards = new Map<number, Promise<Plan>>();
  readonly #finishes = new Map<string, Promise<Sampler>>();
  /** `[1]` index of the row whose next token is wanted. */
  readonly #head: Tensor;
  /** `[1, D]` hidden state of that row. */
  readonly #last: Tensor;
  /** `[1]` the token drawn. */
  readonly #token: Tensor;
  /** `[1, LOGPROB_WORDS]` */
  readonly #logprobs: Tensor;
  #adjustments: LogitsProcessors | undefined;
  #mask: TokenMask | undefined;
  #draws = 0;
  readonly #staging: readonly GPUBuffer[];

  /**
   * @param images image states, each `[N, D]`
   * @param maxRows rows of the largest prefill chunk that is prepared
   * @param mostRows rows of the largest that there may be, recorded when it is wanted
   */
  constructor(
    gpu: Gpu,
    model: Model,
    weights: Weights,
    cache: KvCache,
    images: readonly Tensor[],
    {
      maxRows,
      mostRows = maxRows,
      captures = false,
    }: { maxRows: number; mostRows?: number; captures?: boolean | undefined },
  ) {
    this.#gpu = gpu;
    this.#model = model;
    this.#weights = weights;
    this.#cache = cache;
    this.#images = images;
    this.#captures = captures;
    this.#buckets = [1, ...BUCKETS.filter((rows) => rows < maxRows), maxRows];
    this.#mostRows = mostRows;
    this.rows = gpu.tensor("rows", [mostRows, ROW_WORDS], "u32");
    this.sampling = gpu.tensor("sampling", [1, SAMPLE_WORDS], "u32");
    this.#head = gpu.tensor("head row", [1], "u32");
    this.#last = gpu.tensor("last hidden", [1, model.text.hidden_size]);
    this.#token = gpu.tensor("token", [1], "u32");
    this.topLogprobs = gpu.tensor("top logprobs", [1], "u32");
    this.#logprobs = gpu.tensor("logprobs", [1, LOGPROB_WORDS], "u32");
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    this.#staging = Array.from({ length: READBACKS }, () =>
      gpu.buffer("token read-back", READBACK_WORDS * 4, usage),
    );
  }

  /** Compiles what every request needs: the largest chunk, the decode step, and both samplers. */
  async prepare(): Promise<void> {
    const largest = this.#buckets.at(-1) as number;
    // The largest first: the smaller ones then find all the scratch memory that they need.
    await Promise.all([
      this.forward(largest),
      this.forward(1),
      this.sampler({ greedy: true }),
      this.sampler({ greedy: false }),
    ]);
  }

  /** @returns the plan of the smallest bucket that holds `rows` rows; one row is a decode step */
  forward(rows: number): Promise<Plan> {
    const bucket = rows === 1 ? 1 : this.bucket(rows);
    if (bucket < rows) throw new RangeError(`Decoder.forward: ${rows} rows are too many`);
    let plan = this.#forwards.get(bucket);
    if (!plan) {
      plan = this.#recordForward(bucket);
      this.#forwards.set(bucket, plan);
      // What a larger chunk takes may be more than there is.
      plan.catch(() => this.#forwards.delete(bucket));
    }
    return plan;
  }

  /** @returns rows of the prefill bucket that holds `rows` rows, if there is one */
  bucket(rows: number): number {
    const prepared = this.#buckets.slice(1).find((size) => size >= rows);
    const step = BUCKETS.find((size) => size >= rows) ?? LARGE_STEP;
    return prepared ?? Math.min(Math.ceil(rows / step) * step, this.#mostRows);
  }

  /** Chooses the row of the next forward pass whose next token is wanted. */
  chooseHead(row: number): void {
    this.#gpu.write(this.#head, Uint32Array.of(row));
  }

  /** What an adjusting plan adjusts the logits by, made when first wanted: it is of V size. */
  get logitsProcessors(): LogitsProcessors {
    return (this.#adjustments ??= new LogitsProcessors(this.#gpu, this.#model.text.vocab_size));
  }

  /** What a masked plan may draw, made when first wanted. */
  get mask(): TokenMask {
    return (this.#mask ??= new TokenMask(this.#gpu, this.#model.text.vocab_size));
  }

  /** @returns the plan that draws a token, with no more dispatches than the options ask for */
  sampler(options: SamplerOptions): Promise<Sampler> {
    const { greedy, adjust, masked, logprobs } = options;
    const name =
      `head, ${adjust ? "adjusted, " : ""}${masked ? "masked, " : ""}` +
      `${greedy ? "greedy" : "sampled"}${logprobs ? ", logprobs" : ""}`;
    let finish = this.#finishes.get(name);
    if (!finish) {
      finish = this.#recordFinish(name, options);
      this.#finishes.set(name, finish);
      // A failure is reported to whoever asked; it must not poison a later try.
      finish.catch(() => this.#finishes.delete(name));
    }
    return finish;
  }

  /** Runs a forward pass without drawing a token. */
  submit(forward: Plan): void {
    forward.submit();
    this.steps++;
    this.lastForward = forward;
  }

  /**
   * Runs a forward pass and draws a token, all in one command buffer. The token is on its way
   * back when this returns; the next step may be submitted before it is here.
   */
  step(forward: Plan, finish: Sampler): Promise<GeneratedToken> {
    this.steps++;
    this.lastForward = forward;
    return this.#submit(finish, forward);
  }

  /** Draws a token from the last forward pass: `step` in two parts, with time for a mask between. */
  sample(finish: Sampler): Promise<GeneratedToken> {
    return this.#submit(finish);
  }

  #submit(finish: Sampler, forward?: Plan): Promise<GeneratedToken> {
    const staging = this.#staging[this.#draws++ % READBACKS] as GPUBuffer;
    const encoder = this.#gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    forward?.encode(pass);
    finish.plan.encode(pass);
    pass.end();
    encoder.copyBufferToBuffer(bufferOf(this.#token), 0, staging, 0, 4);
    if (finish.logprobs) {
      encoder.copyBufferToBuffer(bufferOf(this.#logprobs), 0, staging, 4, LOGPROB_WORDS * 4);
    }
    this.#gpu.device.queue.submit([encoder.finish()]);
    this.lastLogits = finish.logits;
    return readToken(staging, finish.logprobs);
  }

  async #recordForward(bucket: number): Promise<Plan> {
    const g = new Graph(this.#gpu, { captures: this.#captures });
    const rows: Tensor = { ...this.rows, shape: [bucket, ROW_WORDS] };
    const { layers, convolutions } = this.#cache;
    const hidden = this.#model.forward(g, this.#weights, rows, this.#images, layers, convolutions);
    gatherRows(g, hidden, this.#head, { into: this.#last });
    return g.compile(`forward of ${bucket} rows`);
  }

  async #recordFinish(name: string, options: SamplerOptions): Promise<Sampler> {
    const { greedy, adjust = false, masked = false, logprobs: told = false } = options;
    const g = new Graph(this.#gpu);
    const logits = g.keep(this.#model.head(g, this.#weights, this.#last)); // [1, V]
    let drawn = logits;
    if (adjust) drawn = adjustLogits(g, drawn, this.sampling, this.#token, this.logitsProcessors);
    if (masked) drawn = maskLogits(g, drawn, this.mask.tensor);
    sample(g, drawn, this.sampling, this.rows, this.#token, { greedy });
    if (told) logprobs(g, logits, this.#token, this.topLogprobs, this.#logprobs);
    return { plan: await g.compile(name), logits, logprobs: told };
  }
}

async function readToken(staging: GPUBuffer, withLogprobs: boolean): Promise<GeneratedToken> {
  await staging.mapAsync(GPUMapMode.READ);
  const words = new Uint32Array(staging.getMappedRange());
  const token = words[0] as number;
  const read = withLogprobs ? { token, logprobs: readLogprobs(words.subarray(1)) } : { token };
  staging.unmap();
  return read;
}
