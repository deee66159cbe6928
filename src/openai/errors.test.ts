import { expect, test } from "vitest";
import { ImageError } from "../chat/image-error.ts";
import { RequestError } from "../chat/request-error.ts";
import { QueueFullError } from "../engine/generation.ts";
import { DeviceLostError, OutOfMemoryError } from "../platform/device-error.ts";
import { OpenAIError, badRequest, modelLoading, modelNotFound, toOpenAIError } from "./errors.ts";

class GPUOutOfMemoryError extends Error {}

test.each<[string, unknown, number, string, string | null, string | null]>([
  [
    "a refused request",
    badRequest(new RequestError("image_too_large", "messages", "no"), "messages[0]"),
    400,
    "invalid_request_error",
    "image_too_large",
    "messages[0]",
  ],
  ["a full queue", new QueueFullError("no"), 429, "rate_limit_error", "queue_full", null],
  ["a lost GPU", new DeviceLostError("no"), 503, "server_error", "device_lost", null],
  [
    "a tensor beyond the device's limits",
    new OutOfMemoryError("no"),
    500,
    "server_error",
    "out_of_memory",
    null,
  ],
  [
    "WebGPU out of memory",
    new GPUOutOfMemoryError("no"),
    500,
    "server_error",
    "out_of_memory",
    null,
  ],
  [
    "JavaScript out of memory",
    new RangeError("Array buffer allocation failed"),
    500,
    "server_error",
    "out_of_memory",
    null,
  ],
  ["a defect", new TypeError("no"), 500, "server_error", null, null],
  ["a thrown string", "no", 500, "server_error", null, null],
  [
    "an OpenAIError",
    new OpenAIError(418, "no", { code: "teapot" }),
    418,
    "invalid_request_error",
    "teapot",
    null,
  ],
])("%s", async (_, thrown, status, type, code, param) => {
  const response = toOpenAIError(thrown).toResponse();
  expect(response.status).toBe(status);
  const message = thrown instanceof RangeError ? thrown.message : "no";
  expect(await response.json()).toEqual({ error: { message, type, param, code } });
  const seconds = { 429: "1", 503: "2" }[status] ?? null;
  expect(response.headers.get("x-should-retry")).toBe(seconds ? null : "false");
  expect(response.headers.get("retry-after")).toBe(seconds);
});

test("the message of an invalid value has its path", () => {
  const error = new RequestError("invalid_value", "minTokens", "expected 1, but got 2.");
  expect(badRequest(error, "min_tokens")).toMatchObject({
    message: "Invalid value for 'min_tokens': expected 1, but got 2.",
    param: "min_tokens",
    cause: error,
  });
});

test("the error of an image has its path", () => {
  const error = new ImageError("image_too_small", "The image is 0 x 0 pixels.");
  expect(badRequest(error, "input[0]")).toMatchObject({
    status: 400,
    code: "image_too_small",
    message: "The image is 0 x 0 pixels.",
    param: "input[0]",
  });
});

test("a model that is loading or unknown", () => {
  const { headers } = modelLoading().toResponse();
  expect(headers.get("retry-after")).toMatch(/^\d+$/);
  expect(headers.has("x-should-retry")).toBe(false);
  expect(modelNotFound("gpt-4o", ["a", "b"]).message).toBe(
    "The model 'gpt-4o' is not loaded. Loaded: 'a', 'b'.",
  );
});
