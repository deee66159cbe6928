import { Arrival, type ArrivalParts } from "./arrival.ts";
import { Batch, type BatchDecoder } from "./batch.ts";
import type { Decoder } from "./decoder.ts";
import { type GeneratedToken, QueueFullError } from "./generation.ts";
import type { KvCache } from "./kv-cache.ts";
import { NoPagesError } from "./prefix-cache.ts";
import type { Request } from "./request.ts";
import type { TokenMask } from "./token-mask.ts";

/** What the scheduler needs of the engine. */
export interface SchedulerParts extends ArrivalParts {
  readonly decoder: ArrivalParts["decoder"] &
    BatchDecoder &
    Pick<Decoder, "submit" | "step"> & {
      readonly slots: { readonly mask: Pick<TokenMask, "update" | "allowAll" | "check"> };
    };
  readonly cache: ArrivalParts["cache"] & Pick<KvCache, "roomPages" | "missingPages">;
  /** Whether a request's images can be kept next to those of the others, which run. */
  hasRoomForImages(request: Request, others: Iterable<Request>): boolean;
  /** Throws the device's last error. */
  check(): void;
  /** Waits until all submitted passes are over. */
  passesDone(): Promise<unknown>;
  /** Called with the number of prompt rows of each pass. */
  onPrefill?(rows: number): void;
}

/** A step whose tokens have not been read. */
interface Step {
  readonly rows: readonly { readonly request: Request; readonly slot: number }[];
  readonly tokens: Promise<GeneratedToken[]>;
}

/**
 * Turns of the microtask queue in which a reader, behind several generators, takes a token and may leave,
 * before the next step is submitted.
 */
const READER_TURNS = 32;

/**
 * Runs the requests of one model. One loop drives the GPU while there is work; readers only take tokens
 * from queues. The tokens of a request do not depend on the others.
 */
export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #batch: Batch;
  readonly #sequences: number;
  readonly #capacity: number;
  /** In the order in which they run. */
  readonly #waiting: Request[] = [];
  /** Requests that hold pages: the arrival, those in the batch, and those whose last tokens are unread. */
  readonly #live = new Set<Request>();
  readonly #released = new Map<Request, () => void>();
  #arrival: Arrival | undefined;
  #step: Step | undefined;
  #isRunning = false;

  /**
   * @param sequences requests that run at once, at most `MAX_SLOTS`
   * @param queueLength requests that may wait for them
   */
  constructor(parts: SchedulerParts, sequences: number, queueLength: number) {
    this.#parts = parts;
    this.#batch = new Batch(parts.decoder);
    this.#sequences = sequences;
    this.#capacity = sequences + queueLength;
  }

  /** Requests that wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Requests that are being computed. */
  get running(): number {
    return this.#live.size;
  }

  /**
   * Queues a request.
   *
   * @throws QueueFullError when too many requests wait
   */
  add(request: Request): void {
    if (this.waiting + this.running >= this.#capacity) {
      throw new QueueFullError(
        `Scheduler.add: the queue is full, ${this.waiting} requests wait and ${this.running} run`,
      );
    }
    this.#enqueue(request);
    request.signal.addEventListener("abort", () => this.#leaveQueue(request), { once: true });
    if (request.isEnded) this.#leaveQueue(request);
    if (!this.#isRunning) void this.#run();
  }

  /** Ends a request, and waits until it holds nothing any more. */
  async end(request: Request): Promise<void> {
    request.end();
    if (!this.#live.has(request)) return;
    await new Promise<void>((resolve) => this.#released.set(request, resolve));
  }

  #enqueue(request: Request): void {
    const index = this.#waiting.findIndex((other) => request.isBefore(other));
    this.#waiting.splice(index < 0 ? this.#waiting.length : index, 0, request);
    this.#reportQueue();
  }

  #reportQueue(): void {
    this.#waiting.forEach((request, position) => request.reportPosition(position));
  }

  #leaveQueue(request: Request): void {
    const index = this.#waiting.indexOf(request);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    this.#reportQueue();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // Requests that are made at the same time are all in the queue before the first one is admitted.
    await undefined;
    while (this.#waiting.length > 0 || this.#live.size > 0 || this.#step) {
      try {
        await this.#turn();
      } catch (error) {
        await this.#failAll(error);
      }
    }
    this.#isRunning = false;
  }

  /** One step of the batch and one pass of the arrival, where there are any. */
  async #turn(): Promise<void> {
    this.#retire();
    this.#reserve();
    this.#admit();
    const join = await this.#advance();
    if (this.#batch.size > 0) await this.#decode(join);
    else if (this.#step) await this.#receive();
    else if (this.#arrival && !this.#arrival.isSettled) await this.#arrival.settled;
  }

  /** Frees the slots of requests that need no further step, and all that ended requests hold. */
  #retire(): void {
    for (const request of [...this.#batch.requests]) {
      if (request.isSubmitted) this.#batch.remove(request);
    }
    const arrival = this.#arrival;
    if (arrival?.isSettled) {
      if (arrival.error !== undefined) arrival.request.fail(arrival.error);
      if (arrival.request.isEnded) this.#arrival = undefined;
    }
    for (const request of [...this.#live]) {
      if (request.isEnded && request !== this.#arrival?.request) this.#release(request);
    }
  }

  #release(request: Request): void {
    this.#live.delete(request);
    if (request.sequence) this.#parts.cache.end(request.sequence);
    this.#released.get(request)?.();
    this.#released.delete(request);
  }

  /** Gives the rows of the next step their pages. The oldest request gets its page first. */
  #reserve(): void {
    const { cache } = this.#parts;
    const oldest = [...this.#batch.requests].sort((a, b) => (a.isBefore(b) ? -1 : 1));
    for (const request of oldest) {
      while (this.#batch.requests.includes(request) && request.sequence) {
        try {
          cache.reserve(request.sequence, request.promptTokens + request.submitted);
          break;
        } catch (error) {
          if (!(error instanceof NoPagesError)) throw error;
          if (this.#live.size > 1) this.#preempt();
          else this.#remove(request, error);
        }
      }
    }
  }

  /** Ends a request that does not fit into the cache even alone. */
  #remove(request: Request, error: unknown): void {
    this.#batch.remove(request);
    request.fail(error);
    this.#release(request);
  }

  /** Takes the pages of the request that runs last. It waits, and continues where it was. */
  #preempt(): void {
    const arrival = this.#arrival;
    const candidates = [...this.#batch.requests];
    if (arrival?.isSettled) candidates.push(arrival.request);
    const last = candidates.reduce((last, other) => (last.isBefore(other) ? other : last));
    if (last === arrival?.request) this.#arrival = undefined;
    else this.#batch.remove(last);
    // The cache may keep rows of it. They are found when it continues.
    this.#live.delete(last);
    if (last.sequence) this.#parts.cache.end(last.sequence);
    this.#enqueue(last);
  }

  /** Begins with the next request, if there is room for it. */
  #admit(): void {
    const { hasRoomForImages, check } = this.#parts;
    while (!this.#arrival && this.#batch.size < this.#sequences) {
      const request = this.#waiting[0];
      // The last token of a request that was preempted may not have been read yet.
      if (!request || request.submitted > request.tokens.length) return;
      const isAlone = this.#live.size === 0;
      if (!isAlone && !(this.#hasPages(request) && hasRoomForImages(request, this.#live))) return;
      this.#waiting.shift();
      this.#reportQueue();
      try {
        check();
        this.#arrival = new Arrival(request, this.#parts);
        this.#live.add(request);
        // The plans that it will need are compiled meanwhile.
        this.#batch.canAdd(request);
      } catch (error) {
        request.fail(error);
      }
    }
  }

  /** Whether a request fits next to the others, with a page to spare for each of them. */
  #hasPages({ prompt, promptTokens, tokens, input }: Request): boolean {
    const { cache } = this.#parts;
    const rows = promptTokens + tokens.length + 1;
    const missing = cache.missingPages(prompt.contents, rows, input.cacheSalt);
    return missing + this.#live.size <= cache.roomPages;
  }

  /**
   * Submits the next pass of the arrival, or lets it join the batch.
   *
   * @returns the pass that the next step must begin with
   */
  async #advance(): Promise<ReturnType<Arrival["write"]> | undefined> {
    const { decoder, onPrefill, passesDone } = this.#parts;
    const arrival = this.#arrival;
    if (!arrival?.isSettled || arrival.request.isEnded || arrival.error !== undefined) return;
    if (!arrival.samplesNext && !arrival.isComputed) {
      const { plan, promptRows } = arrival.write();
      onPrefill?.(promptRows);
      decoder.submit([plan]);
      if (this.#batch.size === 0 && !this.#step) await passesDone();
      return;
    }
    const { request } = arrival;
    if (this.#batch.size === 0 && !this.#batch.canAdd(request)) {
      try {
        await this.#batch.prepare(request);
      } catch (error) {
        arrival.error = error;
        return;
      }
      if (request.isEnded) return;
    }
    if (!this.#batch.canAdd(request)) return;
    const samples = arrival.samplesNext;
    const slot = this.#batch.add(request, arrival.rows);
    this.#arrival = undefined;
    if (!samples) return;
    const pass = arrival.write(slot);
    onPrefill?.(pass.promptRows);
    return pass;
  }

  /** @param join the pass over a prompt's last rows, from which the request in the last slot samples */
  async #decode(join: ReturnType<Arrival["write"]> | undefined): Promise<void> {
    const { decoder } = this.#parts;
    const { decode, sampler, masked } = this.#batch.plans;
    const rows = this.#batch.requests.map((request, slot) => ({ request, slot }));
    const passes = rows.length > (join ? 1 : 0) ? [decode] : [];
    if (join) passes.push(join.plan);
    if (!masked || !rows.some(({ request }) => request.input.constraint)) {
      const tokens = decoder.step(passes, sampler);
      await this.#receive(this.#sampled(rows, tokens));
      return;
    }
    // A constraint needs each token before it can compute the next mask. The passes run meanwhile.
    decoder.submit(passes);
    await this.#receive();
    const isMasked = await this.#mask(rows);
    if (rows.every(({ request }) => request.isEnded)) return;
    this.#step = this.#sampled(rows, decoder.step([], isMasked ? masked : sampler));
  }

  #sampled(rows: Step["rows"], tokens: Step["tokens"]): Step {
    tokens.catch(() => {}); // Awaited a step later, unless something else fails before.
    for (const { request } of rows) request.submitted++;
    return { rows, tokens };
  }

  /**
   * Computes the masks of the next step. A constraint that fails ends its request only.
   *
   * @returns whether some token may not be sampled
   */
  async #mask(rows: Step["rows"]): Promise<boolean> {
    const { mask } = this.#parts.decoder.slots;
    const masked = await Promise.all(
      rows.map(async ({ request, slot }) => {
        const { constraint } = request.input;
        if (!constraint || request.isEnded) {
          mask.allowAll(slot);
          return false;
        }
        try {
          return await mask.update(slot, constraint);
        } catch (error) {
          request.fail(error);
          return false;
        }
      }),
    );
    return masked.includes(true);
  }

  /** Reads the tokens of the step in flight, and hands them to the readers. */
  async #receive(next?: Step): Promise<void> {
    const step = this.#step;
    this.#step = next;
    // After the passes of the last arrival, which read image states.
    this.#admit();
    if (!step) return;
    const tokens = await step.tokens;
    const rows = step.rows.filter(({ request }) => !request.isEnded);
    // If nobody is left, the next request gets the error.
    if (rows.length > 0) this.#parts.check();
    for (const { request, slot } of rows) {
      this.#give(request, slot, tokens[slot] as GeneratedToken);
    }
    for (let turn = 0; turn < READER_TURNS; turn++) await undefined;
  }

  #give(request: Request, slot: number, generated: GeneratedToken): void {
    const { constraint } = request.input;
    const { sequence } = request;
    try {
      if (constraint) {
        this.#parts.decoder.slots.mask.check(slot, generated.token);
        constraint.accept(generated.token);
      }
    } catch (error) {
      return request.fail(error);
    }
    if (sequence && this.#live.has(request)) {
      // The pass that this token was sampled from is over, and so are all earlier passes.
      sequence.computed = request.promptTokens + request.tokens.length;
      sequence.rows.push(generated.token);
    }
    request.receive(generated);
  }

  /** Ends all requests that run, after an error that may have spoilt what they computed. */
  async #failAll(error: unknown): Promise<void> {
    this.#step = undefined;
    const unread = this.#waiting.filter(({ submitted, tokens }) => submitted > tokens.length);
    for (const request of [...this.#live, ...unread]) request.fail(error);
    for (const request of [...this.#batch.requests]) this.#batch.remove(request);
    await this.#arrival?.settled;
    this.#retire();
  }
}
