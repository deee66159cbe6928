import { expect, test } from "vitest";
import { bytes, duration, plural, progressText, remaining, roughly, waiting } from "./format.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_000, "1 kB"],
  [13_020_888, "13.0 MB"],
  [1_020_000_000, "1.0 GB"],
  [5e12, "5000.0 GB"],
])("%i bytes are %s", (count, text) => expect(bytes(count)).toBe(text));

test.each([
  [7, "7 B"],
  [1_000, "1.0 kB"],
  [13_020_888, "13 MB"],
  [665_855_000, "670 MB"],
  [4_254_000_000, "4.3 GB"],
])("%i bytes are roughly %s", (count, text) => expect(roughly(count)).toBe(text));

test.each([
  [84.6, "85 ms"],
  [1_440, "1.4 s"],
])("%d ms are %s", (ms, text) => expect(duration(ms)).toBe(text));

test.each([
  [4, "a few seconds left"],
  [42, "about 40 seconds left"],
  [170, "about 3 minutes left"],
])("%d s: %s", (seconds, text) => expect(remaining(seconds)).toBe(text));

test.each([
  [undefined, "Another tab"],
  [3.2, "again in 4 seconds"],
  [300, "again in 5 minutes"],
])("waiting for %d s: %s", (seconds, text) => expect(waiting(seconds)).toContain(text));

test.each([
  [1, "1 token"],
  [1_200, "1,200 tokens"],
])("%i tokens: %s", (count, text) => expect(plural(count, "token")).toBe(text));

test.each([
  [undefined, "Reading…"],
  [{ stage: "queue", position: 0 }, "Reading…"],
  [{ stage: "queue", position: 2 }, "Waiting for 2 other answers…"],
  [{ stage: "images", encoded: 1, total: 1 }, "Reading…"],
  [{ stage: "images", encoded: 1, total: 3 }, "Looking at the images: 1 of 3…"],
  [
    { stage: "prompt", cached_tokens: 0, computed_tokens: 256, total_tokens: 1000 },
    "Reading, 26 %…",
  ],
  [{ stage: "prompt", cached_tokens: 0, computed_tokens: 1000, total_tokens: 1000 }, "Reading…"],
] as const)("an answer that waits for %o: %s", (progress, text) =>
  expect(progressText(progress)).toBe(text),
);
