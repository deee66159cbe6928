import type { Usage } from "../index.ts";

/** The timing of one answer, measured in the page. */
export interface Timing {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly tokens: number;
  readonly firstTokenMs: number;
  /** From the first token to the last. Undefined if they arrived together. */
  readonly tokensPerSecond: number | undefined;
}

/** Times on one clock, in ms: request sent, first text received, last text received. */
export interface Moments {
  readonly sent: number;
  readonly first: number;
  readonly last: number;
}

/** @returns undefined if the server reported no usage */
export function timingOf(usage: Usage | undefined, at: Moments): Timing | undefined {
  if (!usage) return undefined;
  const tokens = usage.completion_tokens;
  const seconds = (at.last - at.first) / 1000;
  return {
    promptTokens: usage.prompt_tokens,
    cachedTokens: usage.prompt_tokens_details.cached_tokens,
    tokens,
    firstTokenMs: at.first - at.sent,
    tokensPerSecond: tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : undefined,
  };
}
