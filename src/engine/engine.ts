import type { Gpu } from "../gpu/device.ts";
import { ELEMENT_BYTES, type Tensor } from "../gpu/tensor.ts";
import type { CrossAttentionShape, Model, PatchSource, Weights } from "../models/model.ts";
import type { KvType } from "../ops/cache.ts";
import {
  CrossAttentionCache,
  crossAttentionContents,
  maxCrossAttentionImages,
} from "./cross-attention.ts";
import { type DecodeLoop, decodeAhead, decodeConstrained } from "./decode-loop.ts";
import { Decoder, type Sampler } from "./decoder.ts";
import type {
  GeneratedToken,
  GenerationInput,
  PreparedImage,
  TokenGenerator,
} from "./generation.ts";
import { KvCache, affordableContext, kvBytesPerToken } from "./kv-cache.ts";
import { processesLogits } from "./logits-processors.ts";
import { Prefill } from "./prefill.ts";
import type { RowContent, Sequence } from "./prefix-cache.ts";
import { type PromptRows, promptContents, promptRows } from "./prompt-rows.ts";
import { RequestQueue } from "./request-queue.ts";
import { type OnPass, Vision, typicalLayout } from "./vision.ts";

export interface EngineOptions {
  /** Tokens of prompt and answer together. Default: what `affordableContext` returns. */
  readonly contextLength?: number;
  /** How keys and values of tokens are kept. Those of cross-attention are f32. Default "f32". */
  readonly kvCache?: KvType;
  /** Token rows of the largest prefill chunk, unless a bidirectional block is larger. */
  readonly prefillRows?: number;
  /** Requests that may wait while one runs. Default 64. */
  readonly queueLength?: number;
  /**
   * Keep what the model captures readable, for comparison with a reference. Turns the prefix cache
   * off, so that every request computes its whole prompt.
   */
  readonly captures?: boolean;
  /** Keep keys and values of ended requests while there is room. Default true. */
  readonly prefixCache?: boolean;
  /** Called after each vision pass has been submitted. */
  readonly onVisionPass?: OnPass;
  /** Called for each image that is not encoded because its keys and values are cached. */
  readonly onCachedImage?: (image: PreparedImage) => void;
}

/** Token rows of the largest prefill chunk, unless the caller chooses another number. */
const PREFILL_ROWS = 256;

/** Rows of text that share a chunk with an image's block in a typical prompt. */
const QUESTION_ROWS = 128;

/** @returns prefill rows that hold the bidirectional block of a typical prompt */
function defaultPrefillRows({ bidirectional, processor }: Model): number {
  if (!bidirectional) return PREFILL_ROWS;
  return Math.max(PREFILL_ROWS, typicalLayout(processor).tokenCount + QUESTION_ROWS);
}

/** The samplers of a request: the second, for constrained tokens, where it has a constraint. */
type Samplers = readonly [sampler: Sampler, masked: Sampler | undefined];

/** Uploads an image and cuts it into patches on the GPU. */
export type Preprocess = (image: PreparedImage) => Promise<PatchSource>;

export interface EngineStats {
  /** Forward passes of the decoder submitted so far, prefill chunks included. */
  readonly steps: number;
  /** Vision passes submitted so far. */
  readonly visionSteps: number;
  /** Token rows of prompts computed so far, without those found in the cache. */
  readonly prefillRows: number;
  /** Requests that wait or run. */
  readonly requests: number;
  readonly gpuBytes: number;
  readonly peakGpuBytes: number;
}

/** Runs one model's requests, one at a time. */
export class Engine implements TokenGenerator {
  readonly contextLength: number;
  readonly kvCache: KvType;
  readonly maxImages: number | undefined;
  readonly decoder: Decoder;
  readonly vision: Vision;
  readonly #gpu: Gpu;
  readonly #model: Model;
  readonly #preprocess: Preprocess;
  readonly #options: EngineOptions;
  readonly #cache: KvCache;
  readonly #queue: RequestQueue;
  readonly #prefill: Prefill;
  readonly #imageStates: readonly Tensor[];
  /** Present where images are cross-attention keys. */
  readonly #crossAttention: CrossAttentionCache | undefined;

  /** Allocates caches and buffers. `prepare` records the plans. */
  constructor(
    gpu: Gpu,
    model: Model,
    weights: Weights,
    preprocess: Preprocess,
    options: EngineOptions = {},
  ) {
    const longest = model.text.max_position_embeddings;
    const affordable = affordableContext(kvBytesPerToken(model.text), longest);
    this.contextLength = Math.min(options.contextLength ?? affordable, longest);
    this.kvCache = options.kvCache ?? "f32";
    this.#gpu = gpu;
    this.#model = model;
    this.#preprocess = preprocess;
    this.#options = options;
    this.#queue = new RequestQueue(options.queueLength ?? 64);
    this.#cache = new KvCache(gpu, model.text, this.contextLength, this.kvCache);
    const { crossAttention, imageStates } = model;
    this.maxImages = crossAttention && maxImagesOf(gpu, imageStates, crossAttention);
    const N =
      crossAttention && this.maxImages ? this.maxImages * crossAttention.rows : this.contextLength;
    this.#crossAttention =
      crossAttention && new CrossAttentionCache({ rows: crossAttention.rows, N });
    const width = crossAttention?.width ?? model.text.hidden_size;
    this.#imageStates = Array.from({ length: imageStates }, (_, i) =>
      gpu.tensor(`image states ${i}`, [N, width]),
    );
    this.vision = new Vision(gpu, model, weights, this.#imageStates, options.captures);
    const preparedRows = Math.min(
      options.prefillRows ?? defaultPrefillRows(model),
      this.contextLength,
    );
    this.decoder = new Decoder(gpu, model, weights, this.#cache, this.#imageStates, {
      preparedRows,
      maxRows: model.bidirectional ? this.contextLength : preparedRows,
      captures: options.captures,
    });
    this.#prefill = new Prefill(gpu, this.decoder);
  }

  /** Records and compiles the plans. Recording asks the weights for every tensor that is needed. */
  async prepare(): Promise<void> {
    await Promise.all([this.decoder.prepare(), this.vision.prepare()]);
  }

  /**
   * Image states of the last request, each `[N, D]`, the embeddings first. Rows of images found in the
   * cache are not written. Where images are cross-attention keys and values: each `[N, width]`, in the
   * order of `crossAttentionRows`.
   */
  get imageStates(): readonly Tensor[] {
    return this.#imageStates;
  }

  get stats(): EngineStats {
    return {
      steps: this.decoder.steps,
      visionSteps: this.vision.steps,
      prefillRows: this.#prefill.rows,
      requests: this.#queue.length,
      gpuBytes: this.#gpu.bytes,
      peakGpuBytes: this.#gpu.peakBytes,
    };
  }

  /** @inheritDoc TokenGenerator.generate */
  async *generate(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void> {
    const release = await this.#queue.acquire(input.signal);
    try {
      yield* this.#run(input);
    } catch (error) {
      throw this.#gpu.lost ?? error;
    } finally {
      release();
    }
  }

  /** @inheritDoc TokenGenerator.flush */
  flush(): void {
    this.#cache.clear();
    this.#crossAttention?.clear();
  }

  async *#run(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void> {
    const { ids, images } = input;
    const maxTokens = Math.min(input.maxTokens, this.contextLength - ids.length);
    if (ids.length === 0 || maxTokens < 1) {
      throw new RangeError(
        `Engine.generate: ${ids.length} prompt tokens and ${input.maxTokens} more, ` +
          `expected 1 to ${this.contextLength} together`,
      );
    }
    this.#throwIfFailed();
    if (images.length > (this.maxImages ?? Infinity)) {
      throw new RangeError(
        `Engine.generate: ${images.length} images, expected at most ${this.maxImages}`,
      );
    }
    const samplers = this.#samplers(input);
    samplers.catch(() => {}); // Awaited below, unless something else fails before.
    const prompt = promptRows(this.#model, input, this.#crossAttention?.ring);
    const sequence = this.#cache.begin(this.#contentsOf(input), input.cacheSalt);
    try {
      input.onCached?.(sequence.computed);
      this.#cache.reserve(sequence, ids.length);
      await this.#encodeImages(input, prompt, sequence);
      yield* this.#sample({ ...input, maxTokens }, prompt, sequence, samplers);
    } finally {
      const { captures = false, prefixCache = !captures } = this.#options;
      if (!prefixCache) this.flush();
      this.#cache.end(sequence);
    }
  }

  #contentsOf({ ids, images }: GenerationInput): RowContent[] {
    const { processor, bidirectional } = this.#model;
    const contents = promptContents(ids, images, processor.imageTokenId, bidirectional);
    return this.#crossAttention
      ? crossAttentionContents(contents, images, ids.indexOf(processor.imageTokenId))
      : contents;
  }

  /** The first request of a kind compiles its samplers, while its images and prompt are computed. */
  #samplers(input: GenerationInput): Promise<Samplers> {
    const options = {
      greedy: input.sampling.temperature === 0,
      processors: processesLogits(input),
      logprobs: input.logprobs !== undefined,
    };
    return Promise.all([
      this.decoder.sampler(options),
      input.constraint && this.decoder.sampler({ ...options, masked: true }),
    ]);
  }

  /** Prefills the rows that are not cached, and samples tokens. */
  async *#sample(
    input: GenerationInput,
    prompt: PromptRows,
    sequence: Sequence,
    samplers: Promise<Samplers>,
  ): AsyncGenerator<GeneratedToken, void, void> {
    const { constraint, ids, maxTokens, signal } = input;
    const decode = await this.decoder.decodePass();
    this.decoder.begin(input, {
      position: ids.length,
      ropeOffset: prompt.rope?.offset ?? 0,
      window: this.#model.text.sliding_window ?? 0,
      ...prompt.crossAttention?.at(-1),
    });
    const check = (): void => {
      this.#throwIfFailed();
      signal?.throwIfAborted();
    };
    const pass = await this.#prefill.run(prompt, sequence, check);
    const [sampler, masked] = await samplers;
    const loop: DecodeLoop = {
      decoder: this.decoder,
      prompt: pass,
      decode,
      sampler,
      maxTokens,
      onDecode: (count) => this.#cache.reserve(sequence, ids.length + count),
      onRead: (token, count) => {
        // The pass that this token was sampled from is over, and so are all earlier passes.
        sequence.computed = ids.length + count - 1;
        sequence.rows.push(token);
        check();
      },
    };
    const tokens =
      constraint && masked ? decodeConstrained(loop, constraint, masked) : decodeAhead(loop);
    const stops = new Set(input.stopTokenIds);
    for await (const token of tokens) {
      yield token;
      signal?.throwIfAborted();
      if (stops.has(token.token)) return;
    }
  }

  /** Throws the device's last error. It may have spoilt cached rows, so the cache is emptied. */
  #throwIfFailed(): void {
    try {
      this.#gpu.throwIfFailed();
    } catch (error) {
      this.flush();
      throw error;
    }
  }

  /** Encodes the images whose states are neither cached nor part of cached rows. */
  async #encodeImages(
    input: GenerationInput,
    { tokens }: PromptRows,
    { computed }: Sequence,
  ): Promise<void> {
    const { images, signal } = input;
    const { onCachedImage } = this.#options;
    const encode = (image: PreparedImage, rows: Uint32Array) => this.#encode(image, rows, signal);
    if (this.#crossAttention) {
      return this.#crossAttention.encodeMissing(input, encode, onCachedImage);
    }
    const { vocab_size } = this.#model.text;
    let cachedRows = 0;
    for (let i = 0; i < computed; i++) if ((tokens[i] as number) >= vocab_size) cachedRows++;
    let end = 0;
    for (const image of images) {
      signal?.throwIfAborted();
      const { tokenCount } = image.layout;
      const first = end;
      end += tokenCount;
      if (end <= cachedRows) onCachedImage?.(image);
      else await encode(image, range(first, tokenCount));
    }
  }

  async #encode(image: PreparedImage, rows: Uint32Array, signal?: AbortSignal): Promise<void> {
    const source = await this.#preprocess(image);
    const { onVisionPass } = this.#options;
    try {
      await this.vision.encode(source, image.layout, rows, signal, onVisionPass);
    } finally {
      source.release();
    }
  }
}

/** @returns the integers `first ..< first + count` */
function range(first: number, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => first + i);
}

/** @returns how many images' keys and values the image states hold */
function maxImagesOf(
  { device: { limits } }: Gpu,
  imageStates: number,
  { rows, width }: CrossAttentionShape,
): number {
  const tensorBytes = rows * width * ELEMENT_BYTES;
  const bindingBytes = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  return maxCrossAttentionImages(imageStates * tensorBytes, tensorBytes, bindingBytes);
}
