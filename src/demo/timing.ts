import type { Usage } from "./stream.ts";

/** What one answer took, measured in the page from the moment the request went out. */
export interface Timing {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly tokens: number;
  readonly firstTokenMs: number;
  /** From the first token to the last; undefined where they came at once. */
  readonly tokensPerSecond: number | undefined;
}

/** Milliseconds of one clock: the request out, the first text in, the last text in. */
export interface Moments {
  readonly sent: number;
  readonly first: number;
  readonly last: number;
}

/** @returns undefined when the server told no usage */
export function timingOf(usage: Usage | undefined, at: Moments): Timing | undefined {
  if (!usage) return undefined;
  const tokens = usage.completion_tokens;
  const seconds = (at.last - at.first) / 1000;
  return {
    promptTokens: usage.prompt_tokens,
    cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? 0,
    tokens,
    firstTokenMs: at.first - at.sent,
    tokensPerSecond: tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : undefined,
  };
}
