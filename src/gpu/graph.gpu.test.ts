import { describe, expect, onTestFinished, test } from "vitest";
import { smallestGpu, testGpu } from "../../tests/support.ts";
import { OutOfMemoryError } from "../platform/device-error.ts";
import type { Gpu, Kernel } from "./device.ts";
import { Graph } from "./graph.ts";
import type { Tensor } from "./tensor.ts";

const ADD_ONE: Kernel = {
  name: "add-one",
  code: `
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&y)) { y[id.x] = x[id.x] + 1.0; }
    }`,
};

function chain(g: Graph, x: Tensor, length: number): Tensor {
  for (let i = 0; i < length; i++) {
    const y = g.capture(`step ${i}`, g.scratch(x.shape));
    g.dispatch(ADD_ONE, [[x, y]], [Math.ceil((x.shape[0] as number) / 64)]);
    x = y;
  }
  return x;
}

const zeros = (gpu: Gpu, size: number): Tensor => gpu.tensor("zeros", [size]);

describe("Graph", () => {
  test("shares scratch memory between tensors whose lives don't meet, and between plans", async () => {
    const gpu = await testGpu();
    gpu.scratch.length = 0;
    const plans = [];
    for (const size of [1000, 900, 1000]) {
      const g = new Graph(gpu);
      const y = g.keep(chain(g, zeros(gpu, size), 20));
      plans.push({ plan: await g.compile(), y, size });
    }
    expect(gpu.scratch.length).toBe(2);
    for (const { plan, y, size } of plans) {
      plan.submit();
      expect(await gpu.read(y)).toEqual(new Float32Array(size).fill(20));
    }
  });

  test("keeps what is captured only where captures are on", async () => {
    const gpu = await testGpu();
    for (const captures of [false, true]) {
      const g = new Graph(gpu, { captures });
      chain(g, zeros(gpu, 10), 3);
      const plan = await g.compile();
      plan.submit();
      expect(plan.captures.size).toBe(captures ? 3 : 0);
      const middle = plan.captures.get("step 1");
      if (middle) expect(await gpu.read(middle)).toEqual(new Float32Array(10).fill(2));
    }
  });

  test("compiles each kernel once", async () => {
    const gpu = await testGpu();
    const before = gpu.pipelineCount;
    const kernel = { name: "again", code: ADD_ONE.code + "// again" };
    const compiled = await Promise.all([gpu.pipeline(kernel), gpu.pipeline({ ...kernel })]);
    expect(compiled[0]).toBe(compiled[1]);
    expect(gpu.pipelineCount).toBe(before + 1);
  });

  test("tells the kernel's name, the compiler's message and the line", async () => {
    // The device keeps the failure, which belongs to no other test.
    const gpu = await smallestGpu();
    onTestFinished(() => gpu.destroy());
    const g = new Graph(gpu);
    const code = ADD_ONE.code.replace("x[id.x] + 1.0", "x[id.x] + true");
    const y = g.scratch([4]);
    g.dispatch({ name: "wrong", code }, [[zeros(gpu, 4), y]], [1]);
    const compiled = g.compile();
    await expect(compiled).rejects.toThrow(/kernel wrong does not compile:\n\s+\d+:\d+ .*operator/);
    await expect(compiled).rejects.toThrow("y[id.x] = x[id.x] + true");
  });

  test("places a scratch tensor in another tensor's buffer", async () => {
    const gpu = await testGpu();
    const g = new Graph(gpu);
    const target = zeros(gpu, 4);
    const [between, last] = [g.scratch([4]), g.scratch([2, 2])];
    g.dispatch(ADD_ONE, [[zeros(gpu, 4), between]], [1]);
    g.dispatch(ADD_ONE, [[between, last]], [1]);
    g.place(last, target);
    const plan = await g.compile();
    plan.submit();
    expect([...(await gpu.read(target))]).toEqual([2, 2, 2, 2]);
    expect(gpu.scratch).not.toContain(target.buffer);
    expect(() => g.place(between, zeros(gpu, 3))).toThrow("can't be placed in");
    expect(() => g.place(target, zeros(gpu, 4))).toThrow("can't be placed in");
  });

  test("refuses a grid beyond the device's limit", async () => {
    const gpu = await testGpu();
    const g = new Graph(gpu);
    const x = zeros(gpu, 4);
    expect(() => g.dispatch(ADD_ONE, [[x, x]], [1_000_000])).toThrow("add-one: grid [1000000,1,1]");
    expect(() => g.dispatch(ADD_ONE, [[x, x]], [0])).toThrow("each must be 1 to");
  });

  test("refuses a tensor that is larger than the device can bind", async () => {
    const gpu = await smallestGpu();
    const g = new Graph(gpu);
    const y = g.scratch([2 ** 25 + 1], "y");
    g.dispatch(ADD_ONE, [[zeros(gpu, 4), y]], [1]);
    const error = await g.compile().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(OutOfMemoryError);
    expect(error).toHaveProperty(
      "message",
      "compile: add-one: y [33554433] takes 134217732 bytes, the device can bind 134217728",
    );
    gpu.destroy();
  });
});
