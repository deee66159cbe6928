import { expect, test } from "vitest";
import type { Usage } from "../index.ts";
import { timingOf } from "./timing.ts";

const usageOf = (prompt: number, completion: number, cached: number): Usage => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
  prompt_tokens_details: { cached_tokens: cached, image_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0 },
  reasoning_tokens: 0,
});

test("the speed is that of the tokens after the first one", () => {
  const usage = usageOf(30, 11, 8);
  expect(timingOf(usage, { sent: 1000, first: 1400, last: 1900 })).toEqual({
    promptTokens: 30,
    cachedTokens: 8,
    tokens: 11,
    firstTokenMs: 400,
    tokensPerSecond: 20,
  });
});

test("one token has no speed, and an answer without usage has no timing", () => {
  const at = { sent: 0, first: 10, last: 10 };
  const usage = usageOf(3, 1, 0);
  expect(timingOf(usage, at)?.tokensPerSecond).toBeUndefined();
  expect(timingOf(undefined, at)).toBeUndefined();
});
