import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "../gpu/plan.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Model, PatchSource, PromptPositions, Weights } from "../models/model.ts";
import { ROW_WORDS } from "../ops/row.ts";
import { SAMPLE_WORDS, writeSampling } from "../ops/sample.ts";
import { adjustsLogits } from "./adjustments.ts";
import { Decoder } from "./decoder.ts";
import type {
  GeneratedToken,
  GenerationInput,
  Generator,
  PreparedImage,
  Sampling,
} from "./generation.ts";
import { KvCache, affordableContext, kvBytesPerToken } from "./kv-cache.ts";
import { resolveImageRows, writePromptRows } from "./prompt-rows.ts";
import { Turns } from "./turns.ts";
import { Vision } from "./vision.ts";

export interface EngineOptions {
  /** Tokens of prompt and answer together; default: what the model allows, within `KV_BYTES`. */
  readonly contextLength?: number;
  /** Rows of the largest prefill chunk. */
  readonly prefillRows?: number;
  /** Requests that may wait. */
  readonly queueLength?: number;
  /** Keep what the model taps readable, for comparison with a reference. */
  readonly taps?: boolean;
  /** Told each vision pass after it has been submitted. */
  readonly onVisionPass?: (plan: Plan, firstTile: number) => Promise<void>;
}

/** Uploads a picture and cuts it into patches on the GPU. */
export type Preprocess = (image: PreparedImage) => Promise<PatchSource>;

export interface EngineStats {
  /** Forward passes and vision passes submitted so far. */
  readonly steps: number;
  readonly visionSteps: number;
  /** Requests that wait or run. */
  readonly requests: number;
  readonly gpuBytes: number;
  readonly peakGpuBytes: number;
}

/** Runs one model's requests, one at a time. */
export class Engine implements Generator {
  readonly contextLength: number;
  readonly decoder: Decoder;
  readonly vision: Vision;
  readonly #gpu: Gpu;
  readonly #model: Model;
  readonly #preprocess: Preprocess;
  readonly #options: EngineOptions;
  readonly #cache: KvCache;
  readonly #turns: Turns;
  readonly #prefillRows: number;
  readonly #images: readonly Tensor[];
  readonly #rowWords: Uint32Array;
  readonly #samplingWords = new Uint32Array(SAMPLE_WORDS);

  /** Allocates caches and buffers; `prepare` records the plans. */
  constructor(
    gpu: Gpu,
    model: Model,
    weights: Weights,
    preprocess: Preprocess,
    options: EngineOptions = {},
  ) {
    const most = model.text.max_position_embeddings;
    const affordable = affordableContext(kvBytesPerToken(model.text), most);
    this.contextLength = Math.min(options.contextLength ?? affordable, most);
    this.#prefillRows = Math.min(options.prefillRows ?? 256, this.contextLength);
    this.#gpu = gpu;
    this.#model = model;
    this.#preprocess = preprocess;
    this.#options = options;
    this.#turns = new Turns(options.queueLength ?? 64);
    this.#cache = new KvCache(gpu, model.text, this.contextLength);
    this.#images = Array.from({ length: model.imageStates }, (_, i) =>
      gpu.tensor(`image states ${i}`, [this.contextLength, model.text.hidden_size]),
    );
    this.#rowWords = new Uint32Array(this.#prefillRows * ROW_WORDS);
    this.vision = new Vision(gpu, model, weights, options.taps);
    this.decoder = new Decoder(gpu, model, weights, this.#cache, this.#images, {
      maxRows: this.#prefillRows,
      taps: options.taps,
    });
  }

  /** Records and compiles the plans, and so tells the weights which tensors are wanted. */
  async prepare(): Promise<void> {
    await Promise.all([this.decoder.prepare(), this.vision.prepare()]);
  }

  /** Each `[N, D]`, the embeddings first: those of the request that ran last. */
  get imageStates(): readonly Tensor[] {
    return this.#images;
  }

  get stats(): EngineStats {
    return {
      steps: this.decoder.steps,
      visionSteps: this.vision.steps,
      requests: this.#turns.length,
      gpuBytes: this.#gpu.bytes,
      peakGpuBytes: this.#gpu.peakBytes,
    };
  }

  /** @inheritDoc Generator.generate */
  async *generate(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void> {
    const endTurn = await this.#turns.take(input.signal);
    try {
      yield* this.#run(input);
    } catch (error) {
      throw this.#gpu.lost ?? error;
    } finally {
      this.#cache.release(0);
      endTurn();
    }
  }

  async *#run(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void> {
    const { ids, images, signal } = input;
    const room = this.contextLength - ids.length;
    const count = Math.min(input.maxTokens, room);
    if (ids.length === 0 || count < 1) {
      throw new RangeError(
        `Engine.generate: ${ids.length} prompt tokens and ${input.maxTokens} more, ` +
          `the context holds ${this.contextLength}`,
      );
    }
    this.#gpu.throwIfFailed();
    const imageRows = images.reduce((sum, { layout }) => sum + layout.tokenCount, 0);
    const { vocab_size } = this.#model.text;
    const { imageTokenId } = this.#model.processor;
    const tokens = resolveImageRows(ids, imageTokenId, imageRows, vocab_size);
    this.#cache.reserve(0, ids.length + count);
    await this.#encodeImages(images, signal);

    const greedy = input.sampling.temperature === 0;
    const adjust = adjustsLogits(input);
    const logprobs = input.logprobs !== undefined;
    const [decode, finish] = await Promise.all([
      this.decoder.forward(1),
      this.decoder.finish({ greedy, adjust, logprobs }),
    ]);
    if (adjust) this.decoder.adjustments.write(input);
    if (logprobs) this.#gpu.write(this.decoder.topLogprobs, Uint32Array.of(input.logprobs ?? 0));
    const layouts = images.map(({ layout }) => layout);
    const positions = this.#model.promptPositions?.(ids, layouts);
    const lastChunk = await this.#prefill(tokens, positions, input.sampling, signal);
    const stops = new Set(input.stopTokenIds);
    let pending: Promise<GeneratedToken> | undefined = this.decoder.step(lastChunk, finish);
    this.decoder.chooseHead(0);
    try {
      for (let produced = 1; pending; produced++) {
        const current: Promise<GeneratedToken> = pending;
        // The GPU goes on with the token that it has just drawn, while we wait to read it.
        pending = produced < count ? this.decoder.step(decode, finish) : undefined;
        const drawn = await current;
        signal?.throwIfAborted();
        this.#gpu.throwIfFailed();
        yield drawn;
        signal?.throwIfAborted();
        if (stops.has(drawn.token)) return;
      }
    } finally {
      // A read-back under way must be over before its buffer is used again.
      await pending?.catch(() => {});
    }
  }

  async #encodeImages(images: readonly PreparedImage[], signal?: AbortSignal): Promise<void> {
    let row = 0;
    for (const image of images) {
      signal?.throwIfAborted();
      const source = await this.#preprocess(image);
      try {
        const { layout } = image;
        const { onVisionPass } = this.#options;
        await this.vision.encode(source, layout, this.#images, row, signal, onVisionPass);
      } finally {
        source.release();
      }
      row += image.layout.tokenCount;
    }
  }

  /**
   * Runs all chunks of a prompt but the last, which is left in the row buffer.
   *
   * @returns the last chunk's plan, to be run with a sampler behind it
   */
  async #prefill(
    tokens: Uint32Array,
    positions: PromptPositions | undefined,
    sampling: Sampling,
    signal?: AbortSignal,
  ): Promise<Plan> {
    let before: Promise<undefined> | undefined;
    for (let start = 0; ; start += this.#prefillRows) {
      const count = Math.min(this.#prefillRows, tokens.length - start);
      const plan = await this.decoder.forward(count);
      await before;
      signal?.throwIfAborted();
      const words = this.#rowWords.subarray(0, this.decoder.bucket(count) * ROW_WORDS);
      writePromptRows(words, { tokens, positions: positions?.positions }, start, count);
      this.#gpu.write(this.decoder.rows, words);
      if (start + count === tokens.length) {
        this.decoder.chooseHead(count - 1);
        const ropeOffset = positions?.offset ?? 0;
        const next = { row: 0, position: tokens.length, ropeOffset };
        writeSampling(this.#samplingWords, 0, { ...sampling, ...next });
        this.#gpu.write(this.decoder.sampling, this.#samplingWords);
        return plan;
      }
      this.decoder.submit(plan);
      before = this.#gpu.device.queue.onSubmittedWorkDone();
    }
  }
}
