import { describe, expect, test } from "vitest";
import { SHAPES } from "../../tests/families.ts";
import { randomCheckpoint } from "../../tests/shapes/random-checkpoint.ts";
import { Graph } from "../gpu/graph.ts";
import { assemble } from "../runtime/assemble.ts";
import { countingGpu } from "../runtime/counting-device.ts";
import { createModel } from "./registry.ts";

/** WebGPU's default limits, which every device has. */
const DEFAULT_LIMITS = {
  maxBufferSize: 2 ** 28,
  maxStorageBufferBindingSize: 2 ** 27,
  maxComputeWorkgroupsPerDimension: 65_535,
  maxTextureDimension2D: 8192,
};

/** A device that computes nothing, and throws where a device with the default limits fails. */
function smallestCountingGpu() {
  const gpu = countingGpu();
  const { device } = gpu;
  Object.assign(device, { limits: DEFAULT_LIMITS });
  let bindings = 0;
  device.createBindGroup = ({ label, entries }) => {
    for (const { resource } of entries) {
      const { buffer, size = buffer.size } = resource as GPUBufferBinding;
      if (size > DEFAULT_LIMITS.maxStorageBufferBindingSize) {
        throw new RangeError(`${label} binds ${size} bytes`);
      }
      bindings++;
    }
    return {} as GPUBindGroup;
  };
  return { gpu, bindings: () => bindings };
}

describe.each(SHAPES)("$name", ({ make, cut, image, contextLength, crossAttention }) => {
  test("its plans can be bound within the default limits", async () => {
    const { size, detail = "auto", tokens } = image;
    const { gpu, bindings } = smallestCountingGpu();
    const { model, engine } = assemble(createModel, gpu, randomCheckpoint(make(cut)), {
      quantization: "q4",
      contextLength: contextLength ?? tokens + 64,
      maxImageTokens: 1e6,
    });
    expect(model.processor.layout(...size, detail).tokenCount).toBe(tokens);
    await engine.prepare();
    expect(bindings()).toBeGreaterThan(100);
    if (crossAttention) {
      const states = engine.imageStates.map(({ shape }) => shape);
      expect({ maxImages: engine.maxImages, states }).toEqual(crossAttention);
    }
  });
});

test("the device finds a binding beyond the default limits", async () => {
  const { gpu } = smallestCountingGpu();
  const g = new Graph(gpu);
  const tensor = gpu.tensor("large", [2 ** 25 + 1]);
  g.dispatch({ name: "reads", code: "" }, [[tensor]], [1]);
  await expect(g.compile()).rejects.toThrow("reads binds 134217732 bytes");
});
