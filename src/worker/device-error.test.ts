import { expect, test } from "vitest";
import { DeviceLostError, OutOfMemoryError } from "../gpu/device.ts";
import { NoGpuError } from "../platform/platform.ts";
import { isDeviceError } from "./device-error.ts";

test.each([
  [new NoGpuError("no WebGPU"), true],
  [new OutOfMemoryError("too large"), true],
  [new DeviceLostError("gone"), true],
  // As an error of a worker arrives.
  [Object.assign(new Error("too large"), { name: "OutOfMemoryError" }), true],
  [new Error("no such repository"), false],
  [new DOMException("left", "AbortError"), false],
  [undefined, false],
  [null, false],
  ["OutOfMemoryError", false],
])("%s: %s", (error, unfit) => {
  expect(isDeviceError(error)).toBe(unfit);
});
