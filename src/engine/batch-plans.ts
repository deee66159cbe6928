import type { Plan } from "../gpu/plan.ts";
import type { Decoder, Sampler, SamplerOptions } from "./decoder.ts";
import { MAX_SLOTS } from "./slots.ts";

/** The plans of a step. */
export interface BatchPlans {
  /** Slots that the step computes, from the first on. */
  readonly batch: number;
  readonly options: SamplerOptions;
  readonly decode: Plan;
  readonly sampler: Sampler;
  /** The sampler of steps in which a constraint forbids a token. */
  readonly masked: Sampler | undefined;
}

/** @returns the slots that a step over `rows` sequences computes: 1, 2, 4 or 8 */
export function batchOf(rows: number): number {
  return Math.min(2 ** Math.ceil(Math.log2(Math.max(1, rows))), MAX_SLOTS);
}

/** What the samplers of several requests together must do. */
export function unionOf(all: readonly SamplerOptions[]): Required<SamplerOptions> {
  return {
    greedy: all.every(({ greedy }) => greedy),
    processors: all.some(({ processors }) => processors),
    masked: all.some(({ masked }) => masked),
    logprobs: all.some(({ logprobs }) => logprobs),
  };
}

/** Whether plans do what a step needs. They may do more, which changes no token. */
export function covers(plans: BatchPlans, batch: number, needed: SamplerOptions): boolean {
  const { greedy, ...parts } = plans.options;
  const hasParts = (["processors", "masked", "logprobs"] as const).every(
    (part) => parts[part] || !needed[part],
  );
  return plans.batch >= batch && (needed.greedy || !greedy) && hasParts;
}

interface Preparation {
  readonly promise: Promise<BatchPlans>;
  plans?: BatchPlans;
  error?: unknown;
}

/** The plans of steps, compiled when they are first asked for, while other plans run. */
export class BatchPlanner {
  readonly #decoder: Pick<Decoder, "decode" | "sampler">;
  readonly #prepared = new Map<string, Preparation>();

  constructor(decoder: Pick<Decoder, "decode" | "sampler">) {
    this.#decoder = decoder;
  }

  /** @returns the plans, or undefined while they are being compiled or if they can't be */
  ready(batch: number, options: SamplerOptions): BatchPlans | undefined {
    return this.#preparation(batch, options).plans;
  }

  /**
   * Waits for the plans.
   *
   * @throws OutOfMemoryError, or Error, when they can't be compiled
   */
  async prepare(batch: number, options: SamplerOptions): Promise<BatchPlans> {
    const before = this.#preparation(batch, options);
    // Memory may be free by now.
    if (before.error !== undefined) this.#prepared.delete(nameOf(batch, options));
    return this.#preparation(batch, options).promise;
  }

  #preparation(batch: number, options: SamplerOptions): Preparation {
    const name = nameOf(batch, options);
    let preparation = this.#prepared.get(name);
    if (!preparation) {
      const made: Preparation = (preparation = { promise: this.#compile(batch, options) });
      made.promise.then(
        (plans) => (made.plans = plans),
        (error: unknown) => (made.error = error),
      );
      this.#prepared.set(name, made);
    }
    return preparation;
  }

  async #compile(batch: number, options: SamplerOptions): Promise<BatchPlans> {
    const [decode, sampler, masked] = await Promise.all([
      this.#decoder.decode(batch),
      this.#decoder.sampler(batch, { ...options, masked: false }),
      options.masked ? this.#decoder.sampler(batch, options) : undefined,
    ]);
    return { batch, options, decode, sampler, masked };
  }
}

function nameOf(batch: number, options: SamplerOptions): string {
  return JSON.stringify([batch, unionOf([options])]);
}
