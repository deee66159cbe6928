import { expect, test } from "vitest";
import { timingOf } from "./timing.ts";

test("speed counts the tokens after the first, over the time after the first", () => {
  const usage = {
    prompt_tokens: 30,
    completion_tokens: 11,
    prompt_tokens_details: { cached_tokens: 8 },
  };
  expect(timingOf(usage, { sent: 1000, first: 1400, last: 1900 })).toEqual({
    promptTokens: 30,
    cachedTokens: 8,
    tokens: 11,
    firstTokenMs: 400,
    tokensPerSecond: 20,
  });
});

test("a single token has no speed, and no usage no timing", () => {
  const at = { sent: 0, first: 10, last: 10 };
  const usage = { prompt_tokens: 3, completion_tokens: 1 };
  expect(timingOf(usage, at)?.tokensPerSecond).toBeUndefined();
  expect(timingOf(undefined, at)).toBeUndefined();
});
