import { expect, test } from "vitest";
import { testGpu } from "../../tests/support.ts";
import { OutOfMemoryError } from "../platform/device-error.ts";

test("refuses a buffer beyond the device's limit", async () => {
  const gpu = await testGpu();
  const { bytes } = gpu;
  const size = gpu.device.limits.maxBufferSize + 4;
  expect(() => gpu.buffer("keys", size, GPUBufferUsage.STORAGE)).toThrow(OutOfMemoryError);
  expect(() => gpu.buffer("keys", size, GPUBufferUsage.STORAGE)).toThrow(/^buffer keys: \d+ bytes/);
  expect(gpu.bytes).toBe(bytes);
});
