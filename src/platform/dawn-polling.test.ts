import { promisify } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { slowDawnPolling } from "./dawn-polling.ts";

const { setImmediate, setTimeout } = globalThis;

afterEach(() => {
  globalThis.setImmediate = setImmediate;
  vi.restoreAllMocks();
});

/** @returns whether a timer runs `callback`, and not the next turn of the loop */
function waits(callback: () => void): boolean {
  const timer = vi.spyOn(globalThis, "setTimeout").mockImplementation(setTimeout);
  globalThis.setImmediate(callback);
  return timer.mock.calls.length > 0;
}

test("compiled functions, as Dawn schedules them, wait for a timer", () => {
  expect(waits(Date.now)).toBe(false);
  slowDawnPolling();
  expect(waits(Date.now)).toBe(true);
});

test.each([
  ["a function", () => undefined],
  ["a bound function", (() => undefined).bind(undefined)],
])("%s runs in the next turn", (_, callback) => {
  slowDawnPolling();
  expect(waits(callback)).toBe(false);
});

test("a promised turn comes", async () => {
  slowDawnPolling();
  await expect(promisify(globalThis.setImmediate)("value")).resolves.toBe("value");
});
