import type { Gpu } from "../gpu/device.ts";
import { ELEMENT_BYTES, type Tensor } from "../gpu/tensor.ts";
import type { CrossAttentionShape, Model, PatchSource, Weights } from "../models/model.ts";
import type { KvType } from "../ops/cache.ts";
import {
  CrossAttentionCache,
  canShareRing,
  crossAttentionContents,
  maxCrossAttentionImages,
} from "./cross-attention.ts";
import { Decoder } from "./decoder.ts";
import type {
  GeneratedToken,
  GenerationInput,
  PreparedImage,
  TokenGenerator,
} from "./generation.ts";
import { KvCache, affordableContext, kvBytesPerToken } from "./kv-cache.ts";
import type { RowContent } from "./prefix-cache.ts";
import { promptContents, promptRows } from "./prompt-rows.ts";
import { Request } from "./request.ts";
import { Scheduler } from "./scheduler.ts";
import { type GeneratedRows, MAX_SLOTS } from "./slots.ts";
import { type OnPass, Vision, typicalLayout } from "./vision.ts";

export interface EngineOptions {
  /** Tokens of prompt and answer together. Default: what `affordableContext` returns. */
  readonly contextLength?: number;
  /** How keys and values of tokens are kept. Those of cross-attention are f32. Default "f32". */
  readonly kvCache?: KvType;
  /** Token rows of the largest prefill chunk, unless a bidirectional block is larger. */
  readonly prefillRows?: number;
  /** Requests that run at once, 1 to 8. Default 8. */
  readonly sequences?: number;
  /** Requests that may wait while others run. Default 64. */
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
  /** Those of them that run. */
  readonly running: number;
  /** Pages of the cache, 64 tokens each, and those that running requests hold. */
  readonly pages: number;
  readonly heldPages: number;
  readonly gpuBytes: number;
  readonly peakGpuBytes: number;
}

/** Runs one model's requests, several at a time. */
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
  readonly #scheduler: Scheduler;
  /** Requests so far. */
  #requests = 0;
  #prefillRows = 0;
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
    const { captures = false, prefixCache = !captures, queueLength = 64 } = options;
    const { sequences = MAX_SLOTS } = options;
    this.#cache = new KvCache(gpu, model.text, this.contextLength, {
      type: this.kvCache,
      // Another's prompt is computed, and the last tokens of one that has left may be unread.
      sequences: sequences + 2,
      shares: prefixCache,
    });
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
    const parts = {
      decoder: this.decoder,
      cache: this.#cache,
      generatedRows: (request: Request) => this.#generatedRows(request),
      encodeImages: (request: Request, computed: number) => this.#encodeImages(request, computed),
      hasRoomForImages: ({ input }: Request, others: Iterable<Request>) =>
        !crossAttention || [...others].every((other) => canShareRing(input, other.input)),
      check: () => this.#throwIfFailed(),
      passesDone: () => gpu.device.queue.onSubmittedWorkDone(),
      onPrefill: (rows: number) => void (this.#prefillRows += rows),
    };
    this.#scheduler = new Scheduler(parts, sequences, queueLength);
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
      prefillRows: this.#prefillRows,
      requests: this.#scheduler.waiting + this.#scheduler.running,
      running: this.#scheduler.running,
      pages: this.#cache.pages,
      heldPages: this.#cache.pages - this.#cache.roomPages,
      gpuBytes: this.#gpu.bytes,
      peakGpuBytes: this.#gpu.peakBytes,
    };
  }

  /** @inheritDoc TokenGenerator.generate */
  async *generate(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void> {
    input.signal?.throwIfAborted();
    const request = this.#request(input);
    this.#scheduler.add(request);
    try {
      for (let token = await request.next(); token; token = await request.next()) yield token;
    } catch (error) {
      if (input.signal?.aborted) throw error;
      throw await this.#gpu.causeOf(error);
    } finally {
      await this.#scheduler.end(request);
    }
  }

  /** @inheritDoc TokenGenerator.flush */
  flush(): void {
    this.#cache.clear();
    this.#crossAttention?.clear();
  }

  /** Throws RangeError when prompt or images don't fit. */
  #request(input: GenerationInput): Request {
    const { ids, images } = input;
    const maxTokens = Math.min(input.maxTokens, this.contextLength - ids.length);
    if (ids.length === 0 || maxTokens <= (input.begun?.length ?? 0)) {
      throw new RangeError(
        `Engine.generate: ${ids.length} prompt tokens and ${input.maxTokens} more, ` +
          `expected 1 to ${this.contextLength} together`,
      );
    }
    if (images.length > (this.maxImages ?? Infinity)) {
      throw new RangeError(
        `Engine.generate: ${images.length} images, expected at most ${this.maxImages}`,
      );
    }
    const rows = promptRows(this.#model, input, this.#crossAttention?.ring);
    const prompt = { rows, contents: this.#contentsOf(input) };
    return new Request(input, prompt, maxTokens, this.#requests++);
  }

  #contentsOf({ ids, images }: GenerationInput): RowContent[] {
    const { processor, bidirectional } = this.#model;
    const contents = promptContents(ids, images, processor.imageTokenId, bidirectional);
    return this.#crossAttention
      ? crossAttentionContents(contents, images, ids.indexOf(processor.imageTokenId))
      : contents;
  }

  #generatedRows({ prompt: { rows } }: Request): Omit<GeneratedRows, "sequence"> {
    return {
      ropeOffset: rows.rope?.offset ?? 0,
      window: this.#model.text.sliding_window ?? 0,
      ...rows.crossAttention?.at(-1),
    };
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

  /** Encodes the images whose states are neither cached nor part of the first `computed` rows. */
  async #encodeImages({ input, prompt, signal }: Request, computed: number): Promise<void> {
    const { images, cacheSalt } = input;
    const { tokens } = prompt.rows;
    const { captures = false, prefixCache = !captures } = this.#options;
    let encoded = 0;
    const report = () => {
      input.onProgress?.({ stage: "images", encoded: ++encoded, total: images.length });
    };
    const encode = async (image: PreparedImage, rows: Uint32Array) => {
      await this.#encode(image, rows, signal);
      report();
    };
    const onCachedImage = (image: PreparedImage) => {
      this.#options.onCachedImage?.(image);
      report();
    };
    if (this.#crossAttention) {
      if (!prefixCache) this.#crossAttention.clear();
      const wanted = { images, signal, ...(cacheSalt !== undefined && { cacheSalt }) };
      return this.#crossAttention.encodeMissing(wanted, encode, onCachedImage);
    }
    const { vocab_size } = this.#model.text;
    let cachedRows = 0;
    for (let i = 0; i < computed; i++) if ((tokens[i] as number) >= vocab_size) cachedRows++;
    let end = 0;
    for (const image of images) {
      signal.throwIfAborted();
      const { tokenCount } = image.layout;
      const first = end;
      end += tokenCount;
      if (end <= cachedRows) onCachedImage(image);
      else await encode(image, range(first, tokenCount));
    }
  }

  async #encode(image: PreparedImage, rows: Uint32Array, signal: AbortSignal): Promise<void> {
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
