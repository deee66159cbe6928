import { isSoftware } from "../platform/software-adapter.ts";

/**
 * Lanes that share a row of a norm. A software adapter runs four lanes as one vector, and then a barrier
 * costs little; with 64 lanes, the barriers of a row cost ten times as much as its sums.
 */
export type NormLanes = 4 | 64;

/** @returns the lanes that suit an adapter */
export function normLanes(adapter: GPUAdapterInfo): NormLanes {
  return isSoftware(adapter) ? 4 : 64;
}
