import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "../gpu/plan.ts";
import { ELEMENT_BYTES, type Tensor } from "../gpu/tensor.ts";
import type { CrossAttentionShape, Model, PatchSource, Weights } from "../models/model.ts";
import { lastAttended } from "./bidirectional-blocks.ts";
import {
  CrossAttentionCache,
  maxCrossAttentionImages,
  crossAttentionRanges,
  crossAttentionContents,
} from "./cross-attention.ts";
import { type DecodeLoop, decodeAhead, decodeConstrained } from "./decode-loop.ts";
import { Decoder } from "./decoder.ts";
import type {
  GeneratedToken,
  GenerationInput,
  TokenGenerator,
  PreparedImage,
} from "./generation.ts";
import { KvCache, affordableContext, kvBytesPerToken } from "./kv-cache.ts";
import { processesLogits } from "./logits-processors.ts";
import { Prefill, type Prompt } from "./prefill.ts";
import { promptContents, resolveImageRows } from "./prompt-rows.ts";
import { RequestQueue } from "./request-queue.ts";
import { Vision } from "./vision.ts";

export interface EngineOptions {
  /** Tokens of prompt and answer together; default: what the model allows, within `KV_BYTES`. */
  readonly contextLength?: number;
  /** Rows of the largest prefill chunk, unless rows that attend to one another are more. */
  readonly prefillRows?: number;
  /** Requests that may wait. */
  readonly queueLength?: number;
  /**
   * Keep what the model captures readable, for comparison with a reference. Then every request computes
   * its whole prompt.
   */
  readonly captures?: boolean;
  /** Keep keys and values of earlier requests while there is room. Default true. */
  readonly prefixCache?: boolean;
  /** Told each vision pass after it has been submitted. */
  readonly onVisionPass?: (plan: Plan, firstTile: number) => Promise<void>;
  /** Told each image that is not preprocessed, because all its keys and values are there. */
  readonly onCachedImage?: (image: PreparedImage) => void;
}

/** Rows of the largest prefill chunk, unless the caller names them. */
const PREFILL_ROWS = 256;

/** Rows of text that a chunk has room for beside an image's, where these must not be cut. */
const QUESTION_ROWS = 128;

/** @returns rows that hold most prompts' spans, so that the plan for them is there from the start */
function defaultRows({ bidirectional, processor }: Model): number {
  if (!bidirectional) return PREFILL_ROWS;
  const { tokenCount } = processor.layout(512, 512, "low");
  return Math.max(PREFILL_ROWS, tokenCount + QUESTION_ROWS);
}

/** Uploads an image and cuts it into patches on the GPU. */
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
export class Engine implements TokenGenerator {
  readonly contextLength: number;
  readonly maxImages: number | undefined;
  readonly decoder: Decoder;
  readonly vision: Vision;
  readonly #gpu: Gpu;
  readonly #model: Model;
  readonly #preprocess: Preprocess;
  readonly #options: EngineOptions;
  readonly #cache: KvCache;
  readonly #turns: RequestQueue;
  readonly #prefill: Prefill;
  readonly #images: readonly Tensor[];
  /** Where images are keys. */
  readonly #held: CrossAttentionCache | undefined;

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
    const chunkRows = Math.min(options.prefillRows ?? defaultRows(model), this.contextLength);
    this.#gpu = gpu;
    this.#model = model;
    this.#preprocess = preprocess;
    this.#options = options;
    this.#turns = new RequestQueue(options.queueLength ?? 64);
    this.#cache = new KvCache(gpu, model.text, this.contextLength);
    const { crossAttention, imageStates } = model;
    this.maxImages = crossAttention && mostImages(gpu, imageStates, crossAttention);
    const N =
      crossAttention && this.maxImages ? this.maxImages * crossAttention.rows : this.contextLength;
    this.#held = crossAttention && new CrossAttentionCache({ rows: crossAttention.rows, N });
    const width = crossAttention?.width ?? model.text.hidden_size;
    this.#images = Array.from({ length: imageStates }, (_, i) =>
      gpu.tensor(`image states ${i}`, [N, width]),
    );
    this.vision = new Vision(gpu, model, weights, this.#images, options.captures);
    this.decoder = new Decoder(gpu, model, weights, this.#cache, this.#images, {
      maxRows: chunkRows,
      mostRows: model.bidirectional ? this.contextLength : chunkRows,
      captures: options.captures,
    });
    const answer = model.text.sliding_window;
    // A window cuts an image's span (transformers: `create_masks_for_vision_model`), but not one that
    // is a whole prompt (`create_sliding_window_causal_mask`).
    const window = { answer, prompt: model.bidirectional === "prompt" ? undefined : answer };
    this.#prefill = new Prefill(gpu, this.decoder, { chunkRows, window });
  }

  /** Records and compiles the plans, and so tells the weights which tensors are wanted. */
  async prepare(): Promise<void> {
    await Promise.all([this.decoder.prepare(), this.vision.prepare()]);
  }

  /**
   * Each `[N, D]`, the embeddings first: those of the request that ran last, except for images
   * found in the cache. Where images are keys, each `[N, width]` in the places of `placeImageKeys`.
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
    this.#held?.clear();
  }

  async *#run(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void> {
    const { ids, images } = input;
    const room = this.contextLength - ids.length;
    const count = Math.min(input.maxTokens, room);
    if (ids.length === 0 || count < 1) {
      throw new RangeError(
        `Engine.generate: ${ids.length} prompt tokens and ${input.maxTokens} more, ` +
          `the context holds ${this.contextLength}`,
      );
    }
    this.#throwIfFailed();
    if (images.length > (this.maxImages ?? Infinity)) {
      throw new RangeError(
        `Engine.generate: ${images.length} images, there is room for ${this.maxImages}`,
      );
    }
    const prompt = this.#readPrompt(input);
    const { tokens } = prompt;
    const sequence = this.#cache.begin(prompt.contents, input.cacheSalt);
    try {
      input.onCached?.(sequence.computed);
      this.#cache.reserve(sequence, tokens.length);
      await this.#encodeImages(input, tokens.subarray(0, sequence.computed));
      yield* this.#draw(input, { ...prompt, sequence }, count);
    } finally {
      const { captures = false, prefixCache = !captures } = this.#options;
      if (!prefixCache) this.flush();
      this.#cache.end(sequence);
    }
  }

  /** What the rows of a prompt are. Throws RangeError when its images are not those of its ids. */
  #readPrompt({ ids, images, sampling }: GenerationInput) {
    const { processor, bidirectional, text } = this.#model;
    const { imageTokenId } = processor;
    const layouts = images.map(({ layout }) => layout);
    const imageRows = layouts.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
    const contents = promptContents(ids, images, imageTokenId, bidirectional);
    const held = this.#held;
    return {
      tokens: held
        ? Uint32Array.from(ids)
        : resolveImageRows(ids, imageTokenId, imageRows, text.vocab_size),
      contents: held
        ? crossAttentionContents(contents, images, ids.indexOf(imageTokenId))
        : contents,
      positions: this.#model.promptPositions?.(ids, layouts),
      last: lastAttended(ids, images, imageTokenId, bidirectional),
      imageKeys: held && crossAttentionRanges(ids, layouts, imageTokenId, held.ring),
      sampling,
    };
  }

  /** Prefills what is not cached, and draws tokens. */
  async *#draw(
    input: GenerationInput,
    prompt: Prompt,
    count: number,
  ): AsyncGenerator<GeneratedToken, void, void> {
    const { constraint, sampling, signal } = input;
    const { tokens, sequence } = prompt;
    const greedy = sampling.temperature === 0;
    const adjust = processesLogits(input);
    const logprobs = input.logprobs !== undefined;
    const [decode, finish, masked] = await Promise.all([
      this.decoder.forward(1),
      this.decoder.sampler({ greedy, adjust, logprobs }),
      constraint && this.decoder.sampler({ greedy, adjust, masked: true, logprobs }),
    ]);
    if (adjust) this.decoder.logitsProcessors.write(input);
    if (logprobs) this.#gpu.write(this.decoder.topLogprobs, Uint32Array.of(input.logprobs ?? 0));
    const check = (): void => {
      this.#throwIfFailed();
      signal?.throwIfAborted();
    };
    const drawing: DecodeLoop = {
      decoder: this.decoder,
      prompt: await this.#prefill.run(prompt, check),
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
      constraint && masked ? decodeConstrained(drawing, constraint, masked) : decodeAhead(drawing);
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
      this.flush();
      throw error;
    }
  }

  /** @param cached rows of the prompt whose keys and values are there already */
  async #encodeImages(input: GenerationInput, cached: Uint32Array): Promise<void> {
    const { images, signal } = input;
    const { onCachedImage } = this.#options;
    const encode = (image: PreparedImage, places: Uint32Array) =>
      this.#encode(image, places, signal);
    if (this.#held) return this.#held.hold(input, encode, onCachedImage);
    const { vocab_size } = this.#model.text;
    const cachedRows = cached.filter((token) => token >= vocab_size).length;
    let row = 0;
    for (const image of images) {
      signal?.throwIfAborted();
      const { tokenCount } = image.layout;
      const first = row;
      row += tokenCount;
      if (row <= cachedRows) onCachedImage?.(image);
      else
        await encode(
          image,
          Uint32Array.from({ length: tokenCount }, (_, i) => first + i),
        );
    }
  }

  async #encode(image: PreparedImage, places: Uint32Array, signal?: AbortSignal): Promise<void> {
    const source = await this.#preprocess(image);
    const { onVisionPass } = this.#options;
    try {
      await this.vision.encode(source, image.layout, places, signal, onVisionPass);
    } finally {
      source.release();
    }
  }
}

/** @returns how many images there is room for, each with its rows in every image state */
function mostImages(
  { device: { limits } }: Gpu,
  imageStates: number,
  { rows, width }: CrossAttentionShape,
): number {
  const tensorBytes = rows * width * ELEMENT_BYTES;
  const bindingBytes = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  return maxCrossAttentionImages(imageStates * tensorBytes, tensorBytes, bindingBytes);
}
