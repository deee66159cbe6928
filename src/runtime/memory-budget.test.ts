import { expect, test } from "vitest";
import { type DeviceMemory, memoryBudget } from "./memory-budget.ts";

const GIB = 2 ** 30;

test.each<[string, DeviceMemory, number, string]>([
  ["a laptop", { memoryBytes: 8 * GIB, maxBufferBytes: 2 * GIB }, 4, "half of 8 GiB"],
  ["a workstation", { memoryBytes: 32 * GIB, maxBufferBytes: 4 * GIB }, 16, "half of 32 GiB"],
  ["a small GPU", { memoryBytes: 16 * GIB, maxBufferBytes: GIB / 4 }, 1, "buffer limit"],
  ["a phone", { memoryBytes: 8 * GIB, mobile: true }, 1, "a phone or tablet"],
  ["a small phone", { memoryBytes: GIB, mobile: true }, 0.5, "half of 1 GiB"],
  ["a phone that tells nothing", { mobile: true }, 1, "a phone or tablet"],
  ["a desktop that tells nothing", {}, 4, "doesn't reveal"],
])("%s", (_, device, gibibytes, source) => {
  const budget = memoryBudget(undefined, device);
  expect(budget).toMatchObject({ bytes: gibibytes * GIB, strict: false });
  expect(budget.source).toContain(source);
});

test("the option overrides what the device tells", () => {
  const budget = memoryBudget(3 * GIB, { memoryBytes: GIB, mobile: true });
  expect(budget).toEqual({ bytes: 3 * GIB, source: "memoryBytes", strict: true });
  expect(() => memoryBudget(0, {})).toThrow("memoryBytes: expected a positive number, got 0");
});
