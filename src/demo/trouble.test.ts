import { expect, test } from "vitest";
import { explain } from "./trouble.ts";

function failure(message: string, name = "Error"): Error {
  return Object.assign(new Error(message), { name });
}

test.each([
  [failure("no WebGPU here", "NoGpuError"), "no-gpu"],
  [failure("createBuffer: Out of memory"), "memory"],
  [failure("Array buffer allocation failed", "RangeError"), "memory"],
  [failure("fetch org/x/config.json: HTTP 401"), "forbidden"],
  [failure("fetch org/x/config.json: HTTP 404"), "not-found"],
  [failure("Failed to fetch", "TypeError"), "network"],
  [failure("HTTP 503"), "network"],
  [failure("load: unknown architecture FooModel"), "other"],
])("%s is %s", (error, kind) => expect(explain(error).kind).toBe(kind));

test("a page without https is told so", () => {
  const error = failure("no WebGPU here", "NoGpuError");
  expect(explain(error, false).title).not.toBe(explain(error, true).title);
});
