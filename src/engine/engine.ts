import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "../gpu/plan.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Model, PatchSource, Weights } from "../models/model.ts";
import { adjustsLogits } from "./adjustments.ts";
import { Decoder } from "./decoder.ts";
import { type Drawing, drawAhead, drawConstrained } from "./draw.ts";
import type { GeneratedToken, GenerationInput, Generator, PreparedImage } from "./generation.ts";
import { KvCache, affordableContext, kvBytesPerToken } from "./kv-cache.ts";
import { Prefill } from "./prefill.ts";
import type { Sequence } from "./prefix-cache.ts";
import { promptContents, resolveImageRows } from "./prompt-rows.ts";
import { Turns } from "./turns.ts";
import { Vision } from "./vision.ts";

export interface EngineOptions {
  /** Tokens of prompt and answer together; default: what the model allows, within `KV_BYTES`. */
  readonly contextLength?: number;
  /** Rows of the largest prefill chunk. */
  readonly prefillRows?: number;
  /** Requests that may wait. */
  readonly queueLength?: number;
  /**
   * Keep what the model taps readable, for comparison with a reference. Then every request computes
   * its whole prompt.
   */
  readonly taps?: boolean;
  /** Keep keys and values of earlier requests while there is room. Default true. */
  readonly prefixCache?: boolean;
  /** Told each vision pass after it has been submitted. */
  readonly onVisionPass?: (plan: Plan, firstTile: number) => Promise<void>;
  /** Told each picture that is not preprocessed, because all its keys and values are there. */
  readonly onCachedImage?: (image: PreparedImage) => void;
}

/** Uploads a picture and cuts it into patches on the GPU. */
export type Preprocess = (image: PreparedImage) => Promise<PatchSource>;

export interface EngineStats {
  /** Forward passes and vision passes submitted so far. */
  readonly steps: number;
  readonly visionSteps: number;
  /** Rows of prompts computed so far; those found in the cache are not among them. */
  readonly prefillRows: number;
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
  readonly #prefill: Prefill;
  readonly #images: readonly Tensor[];

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
    const maxRows = Math.min(options.prefillRows ?? 256, this.contextLength);
    this.#gpu = gpu;
    this.#model = model;
    this.#preprocess = preprocess;
    this.#options = options;
    this.#turns = new Turns(options.queueLength ?? 64);
    this.#cache = new KvCache(gpu, model.text, this.contextLength);
    this.#images = Array.from({ length: model.imageStates }, (_, i) =>
      gpu.tensor(`image states ${i}`, [this.contextLength, model.text.hidden_size]),
    );
    this.vision = new Vision(gpu, model, weights, options.taps);
    this.decoder = new Decoder(gpu, model, weights, this.#cache, this.#images, {
      maxRows,
      taps: options.taps,
    });
    this.#prefill = new Prefill(gpu, this.decoder, maxRows);
  }

  /** Records and compiles the plans, and so tells the weights which tensors are wanted. */
  async prepare(): Promise<void> {
    await Promise.all([this.decoder.prepare(), this.vision.prepare()]);
  }

  /**
   * Each `[N, D]`, the embeddings first: those of the request that ran last, except for pictures
   * found in the cache.
   */
  get imageStates(): readonly Tensor[] {
    return this.#images;
  }

  get stats(): EngineStats {
    return {
      steps: this.decoder.steps,
      visionSteps: this.vision.steps,
      prefillRows: this.#prefill.rows,
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
      endTurn();
    }
  }

  /** @inheritDoc Generator.flush */
  flush(): void {
    this.#cache.clear();
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
    this.#throwIfFailed();
    const { vocab_size } = this.#model.text;
    const { imageTokenId } = this.#model.processor;
    const imageRows = images.reduce((sum, { layout }) => sum + layout.tokenCount, 0);
    const tokens = resolveImageRows(ids, imageTokenId, imageRows, vocab_size);
    const contents = promptContents(ids, images, imageTokenId);
    const sequence = this.#cache.begin(contents, input.cacheSalt);
    try {
      input.onCached?.(sequence.computed);
      this.#cache.reserve(sequence, tokens.length);
      const cached = tokens.subarray(0, sequence.computed);
      await this.#encodeImages(
        images,
        cached.filter((token) => token >= vocab_size).length,
        signal,
      );
      yield* this.#draw(input, tokens, sequence, count);
    } finally {
      const { taps = false, prefixCache = !taps } = this.#options;
      if (!prefixCache) this.#cache.clear();
      this.#cache.end(sequence);
    }
  }

  /** Prefills what is not cached, and draws tokens. */
  async *#draw(
    input: GenerationInput,
    tokens: Uint32Array,
    sequence: Sequence,
    count: number,
  ): AsyncGenerator<GeneratedToken, void, void> {
    const { ids, images, constraint, sampling, signal } = input;
    const greedy = sampling.temperature === 0;
    const adjust = adjustsLogits(input);
    const logprobs = input.logprobs !== undefined;
    const [decode, finish, masked] = await Promise.all([
      this.decoder.forward(1),
      this.decoder.finish({ greedy, adjust, logprobs }),
      constraint && this.decoder.finish({ greedy, adjust, masked: true, logprobs }),
    ]);
    if (adjust) this.decoder.adjustments.write(input);
    if (logprobs) this.#gpu.write(this.decoder.topLogprobs, Uint32Array.of(input.logprobs ?? 0));
    const layouts = images.map(({ layout }) => layout);
    const positions = this.#model.promptPositions?.(ids, layouts);
    const check = (): void => {
      this.#throwIfFailed();
      signal?.throwIfAborted();
    };
    const drawing: Drawing = {
      decoder: this.decoder,
      prompt: await this.#prefill.run({ tokens, positions, sampling, sequence }, check),
      decode,
      finish,
      count,
      onDecode: (drawn) => this.#cache.reserve(sequence, tokens.length + drawn),
      onRead: (token, drawn) => {
        // The pass that it was drawn from is over, and with it all that were submitted before.
        sequence.computed = tokens.length + drawn - 1;
        sequence.rows.push(token);
        check();
      },
    };
    const drawn =
      constraint && masked ? drawConstrained(drawing, constraint, masked) : drawAhead(drawing);
    const stops = new Set(input.stopTokenIds);
    for await (const token of drawn) {
      yield token;
      signal?.throwIfAborted();
      if (stops.has(token.token)) return;
    }
  }

  /** After an error nobody knows what the passes before it have written. */
  #throwIfFailed(): void {
    try {
      this.#gpu.throwIfFailed();
    } catch (error) {
      this.#cache.clear();
      throw error;
    }
  }

  /** @param cachedRows image rows of the prompt whose keys and values are there already */
  async #encodeImages(
    images: readonly PreparedImage[],
    cachedRows: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const { onVisionPass, onCachedImage } = this.#options;
    let row = 0;
    for (const image of images) {
      signal?.throwIfAborted();
      const { layout } = image;
      if (row + layout.tokenCount <= cachedRows) {
        onCachedImage?.(image);
      } else {
        const source = await this.#preprocess(image);
        try {
          await this.vision.encode(source, layout, this.#images, row, signal, onVisionPass);
        } finally {
          source.release();
        }
      }
      row += layout.tokenCount;
    }
  }
}
