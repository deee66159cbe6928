import type { KvType } from "../ops/cache.ts";
import type { AutoLevel } from "../weights/choose-format.ts";
import type { MemoryBudget } from "./memory-budget.ts";

/** A way to store the model that was tried, and the GPU memory of the whole model. */
export interface Tried {
  readonly level: AutoLevel;
  readonly kvCache: KvType;
  readonly recorded: { readonly deviceBytes: number };
}

/** @returns why "auto" has chosen a level: "q6 takes 0.90 GiB of 1.00 GiB (half of 2 GiB); q8 would …" */
export function reasonOf(
  chosen: Tried,
  budget: MemoryBudget,
  wider: readonly Tried[],
  contextLength?: number,
): string {
  const name = nameOf(chosen);
  const subject =
    contextLength === undefined
      ? `${name} takes`
      : `${name} and a context of ${contextLength} tokens take`;
  const others = wider.map((one) => `; ${nameOf(one)} would take ${sizeOf(one)}`);
  return `${subject} ${sizeOf(chosen)} of ${limitOf(budget)}${others.join("")}`;
}

/** @returns that even the narrowest level is larger than the budget */
export function excessOf(id: string, narrowest: Tried, budget: MemoryBudget): string {
  const message = `${id} needs ${sizeOf(narrowest)} of GPU memory in ${nameOf(narrowest)}`;
  return budget.strict
    ? `${message}, and memoryBytes allows ${gigabytes(budget.bytes)}`
    : `${message}, more than ${limitOf(budget)}`;
}

/** What helps against too little memory. */
export const ADVICE = "Try a smaller model or a shorter contextLength.";

function nameOf({ level, kvCache }: Tried): string {
  return kvCache === "f32" ? level : `${level} with keys and values in f16`;
}

function limitOf({ bytes, source }: MemoryBudget): string {
  return `${gigabytes(bytes)} (${source})`;
}

function sizeOf({ recorded }: Tried): string {
  return gigabytes(recorded.deviceBytes);
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
