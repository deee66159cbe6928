import { BatchPlanner, type BatchPlans, batchOf, covers, unionOf } from "./batch-plans.ts";
import type { Decoder } from "./decoder.ts";
import type { Request } from "./request.ts";
import type { GeneratedRows, Slots } from "./slots.ts";

/** What a batch needs of the decoder. */
export type BatchDecoder = Pick<Decoder, "decode" | "sampler"> & {
  readonly slots: Pick<Slots, "begin" | "clear" | "move">;
};

/** The requests whose next tokens are computed together: those in the first slots, without a gap. */
export class Batch {
  readonly #decoder: BatchDecoder;
  readonly #planner: BatchPlanner;
  readonly #requests: Request[] = [];
  #plans: BatchPlans | undefined;
  /** Whether no smaller plans do what the requests need. */
  #hasSmallest = false;

  constructor(decoder: BatchDecoder) {
    this.#decoder = decoder;
    this.#planner = new BatchPlanner(decoder);
  }

  /** By slot. */
  get requests(): readonly Request[] {
    return this.#requests;
  }

  get size(): number {
    return this.#requests.length;
  }

  /** @returns whether the plans for one more request are compiled; if not, that begins */
  canAdd(request: Request): boolean {
    return this.#planner.ready(...this.#needed(request)) !== undefined;
  }

  /** Waits for the plans for one more request. Throws Error when they can't be compiled. */
  async prepare(request: Request): Promise<void> {
    await this.#planner.prepare(...this.#needed(request));
  }

  /**
   * Gives a request the next slot. `canAdd` must be true.
   *
   * @returns the slot
   */
  add(request: Request, rows: GeneratedRows): number {
    this.#plans = this.#planner.ready(...this.#needed(request));
    this.#hasSmallest = true;
    const { input, tokens } = request;
    const slot = this.#requests.push(request) - 1;
    this.#decoder.slots.begin(slot, { input, rows, tokens });
    return slot;
  }

  /** Frees the slot of a request. The request in the last slot moves to it. */
  remove(request: Request): void {
    const slot = this.#requests.indexOf(request);
    const last = this.#requests.pop();
    if (!last || slot < 0) throw new Error("Batch.remove: the request has no slot");
    this.#hasSmallest = false;
    const { slots } = this.#decoder;
    if (last === request) return slots.clear(slot);
    this.#requests[slot] = last;
    slots.move(this.#requests.length, slot);
  }

  /** The plans of the next step. Until the smallest are compiled, larger ones compute the same tokens. */
  get plans(): BatchPlans {
    if (this.#plans && this.#hasSmallest) return this.#plans;
    const needed = this.#needed();
    const smallest = this.#planner.ready(...needed);
    if (smallest) [this.#plans, this.#hasSmallest] = [smallest, true];
    if (!this.#plans || !covers(this.#plans, ...needed)) {
      throw new Error("Batch.plans: the plans of the step are not compiled");
    }
    return this.#plans;
  }

  #needed(more?: Request): Parameters<BatchPlanner["ready"]> {
    const all = more ? [...this.#requests, more] : this.#requests;
    return [batchOf(all.length), unionOf(all.map(({ options }) => options))];
  }
}
