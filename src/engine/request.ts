import type { SamplerOptions } from "./decoder.ts";
import type { GeneratedToken, GenerationInput } from "./generation.ts";
import { processesLogits } from "./logits-processors.ts";
import type { RowContent, Sequence } from "./prefix-cache.ts";
import type { PromptRows } from "./prompt-rows.ts";
import { TokenQueue } from "./token-queue.ts";

/** A request's prompt, as the scheduler and the caches see it. */
export interface RequestPrompt {
  readonly rows: PromptRows;
  /** `[T]`, see `promptContents`. */
  readonly contents: readonly RowContent[];
}

/** One request, from the call that makes it to its last token. */
export class Request {
  readonly input: GenerationInput;
  readonly prompt: RequestPrompt;
  readonly maxTokens: number;
  /** Requests of a lower number are older. */
  readonly number: number;
  /** What its samplers must do. */
  readonly options: SamplerOptions;
  /** Tokens that have been read from the GPU. */
  readonly tokens: number[] = [];
  /** Tokens whose sampling has been submitted, at least those that were read. */
  submitted = 0;
  /** Its rows in the cache. While it waits after a preemption, they may or may not be left. */
  sequence: Sequence | undefined;
  /** In the queue, when it was last reported. */
  #position: number | undefined;
  readonly #stops: ReadonlySet<number>;
  readonly #queue = new TokenQueue();
  readonly #ending = new AbortController();
  readonly #onAbort = (): void => {
    this.#queue.abort(this.input.signal?.reason);
    this.end();
  };

  constructor(input: GenerationInput, prompt: RequestPrompt, maxTokens: number, number: number) {
    this.input = input;
    this.prompt = prompt;
    this.maxTokens = maxTokens;
    this.number = number;
    this.options = {
      greedy: input.sampling.temperature === 0,
      processors: processesLogits(input),
      masked: input.constraint !== undefined,
      logprobs: input.logprobs !== undefined,
    };
    this.#stops = new Set(input.stopTokenIds);
    this.tokens.push(...(input.begun ?? []));
    this.submitted = this.tokens.length;
    input.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (input.signal?.aborted) this.#onAbort();
  }

  get promptTokens(): number {
    return this.input.ids.length;
  }

  /** Whether its last token has been read, or it has failed or been left. */
  get isEnded(): boolean {
    return this.#ending.signal.aborted;
  }

  /** Aborts when the request ends, for any reason. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Whether no further token needs to be sampled. */
  get isSubmitted(): boolean {
    return this.isEnded || this.submitted >= this.maxTokens;
  }

  /** Whether it runs before another: first by priority, then by age. */
  isBefore(other: Request): boolean {
    const [priority, others] = [this.input.priority ?? 0, other.input.priority ?? 0];
    return priority < others || (priority === others && this.number < other.number);
  }

  /** Tells the caller how many requests in the queue run before this one. */
  reportPosition(position: number): void {
    if (position === this.#position || this.isEnded) return;
    this.#position = position;
    this.input.onProgress?.({ stage: "queue", position });
  }

  /** Takes the next token from the GPU, and ends after the last one. */
  receive({ token, logprobs }: GeneratedToken): void {
    this.tokens.push(token);
    this.#queue.push(this.options.logprobs && logprobs ? { token, logprobs } : { token });
    if (!this.#stops.has(token) && this.tokens.length < this.maxTokens) return;
    this.#queue.end();
    this.end();
  }

  /** Ends the request with an error, which its reader gets after the tokens that it received. */
  fail(error: unknown): void {
    this.#queue.fail(error);
    this.end();
  }

  /** Ends the request without an error. The tokens that were received can still be read. */
  end(): void {
    this.input.signal?.removeEventListener("abort", this.#onAbort);
    this.#queue.end();
    this.#ending.abort();
  }

  /** The next token for the reader; undefined after the last. Throws what `fail` was given, or the signal's reason. */
  async next(): Promise<GeneratedToken | undefined> {
    // A reader that is behind may abort after the last token has been received.
    this.input.signal?.throwIfAborted();
    return this.#queue.next();
  }
}
