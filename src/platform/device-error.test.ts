import { expect, test } from "vitest";
import {
  DeviceError,
  DeviceLostError,
  NoGpuError,
  OutOfMemoryError,
  reviveDeviceError,
} from "./device-error.ts";

test.each([NoGpuError, OutOfMemoryError, DeviceLostError])("%o is a DeviceError", (Class) => {
  expect(new Class("why")).toBeInstanceOf(DeviceError);
});

test.each([
  ["DeviceError", DeviceError],
  ["NoGpuError", NoGpuError],
  ["OutOfMemoryError", OutOfMemoryError],
  ["DeviceLostError", DeviceLostError],
])("an error that lost its class in transit becomes a %s again", (name, Class) => {
  const received = Object.assign(new Error("too large"), { name });
  const revived = reviveDeviceError(received);
  expect(revived).toBeInstanceOf(Class);
  expect(revived).toMatchObject({ name, message: "too large", stack: received.stack });
});

test.each([
  new OutOfMemoryError("too large"),
  new Error("no such repository"),
  Object.assign(new Error("odd"), { name: "toString" }),
  new DOMException("left", "AbortError"),
  undefined,
  null,
  "OutOfMemoryError",
])("%s stays what it is", (error) => {
  expect(reviveDeviceError(error)).toBe(error);
});
