import { expect, test } from "vitest";
import { DeviceLostError, NoGpuError, OutOfMemoryError } from "../index.ts";
import { explain } from "./trouble.ts";

function failure(message: string, name = "Error"): Error {
  return Object.assign(new Error(message), { name });
}

test.each([
  [new NoGpuError("no WebGPU here"), "no-gpu"],
  [new OutOfMemoryError("the device does not give that"), "memory"],
  [new DeviceLostError("the GPU was lost"), "memory"],
  [failure("createBuffer: Out of memory"), "memory"],
  [failure("Array buffer allocation failed", "RangeError"), "memory"],
  [failure("fetch org/x/config.json: HTTP 401"), "forbidden"],
  [failure("fetch org/x/config.json: HTTP 404"), "not-found"],
  [failure("x: the repository is gated (… status 401 (GatedRepo))"), "forbidden"],
  [failure("x: there is no repository x (… status 401 (RepoNotFound))"), "not-found"],
  [failure("x: too many requests (… status 429)"), "network"],
  [failure("x: huggingface.co can't be reached", "InterruptedError"), "network"],
  [failure("Failed to fetch", "TypeError"), "network"],
  [failure("HTTP 503"), "network"],
  [failure("load: unknown architecture FooModel"), "other"],
])("%s is %s", (error, kind) => expect(explain(error).kind).toBe(kind));

test("a page without https gets advice of its own", () => {
  const error = new NoGpuError("no WebGPU here");
  expect(explain(error, false).title).not.toBe(explain(error, true).title);
});
