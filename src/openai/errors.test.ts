import { expect, test } from "vitest";
import { RequestError } from "../chat/request-error.ts";
import { QueueFullError } from "../engine/generation.ts";
import { DeviceLostError } from "../gpu/device.ts";
import { OpenAIError, modelLoading, modelNotFound, toOpenAIError } from "./errors.ts";

class GPUOutOfMemoryError extends Error {}

test.each<[string, unknown, number, string, string | null, string | null]>([
  [
    "a refused request",
    new RequestError("image_too_large", "messages[0]", "no"),
    400,
    "invalid_request_error",
    "image_too_large",
    "messages[0]",
  ],
  ["a full queue", new QueueFullError("no"), 429, "rate_limit_error", "queue_full", null],
  ["a lost GPU", new DeviceLostError("no"), 500, "server_error", "device_lost", null],
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
  ["something that is no error", "no", 500, "server_error", null, null],
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
  const retried = status === 429;
  expect(response.headers.get("x-should-retry")).toBe(retried ? null : "false");
  expect(response.headers.get("retry-after")).toBe(retried ? "1" : null);
});

test("a model that is loading, or is not there", () => {
  const { headers } = modelLoading().toResponse();
  expect(headers.get("retry-after")).toMatch(/^\d+$/);
  expect(headers.has("x-should-retry")).toBe(false);
  expect(modelNotFound("gpt-4o", ["a", "b"]).message).toBe(
    "The model 'gpt-4o' is not loaded. Loaded: 'a', 'b'.",
  );
});
