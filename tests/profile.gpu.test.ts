import { describe, expect, test } from "vitest";
import { profile, summarize } from "../bench/profile.ts";
import type { Kernel } from "../src/gpu/device.ts";
import { Graph } from "../src/gpu/graph.ts";
import { testGpu } from "./support.ts";

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

describe("profile", () => {
  test("times each dispatch by name", async () => {
    const gpu = await testGpu();
    const g = new Graph(gpu);
    let x = gpu.tensor("zeros", [5000]);
    for (let i = 0; i < 5; i++) {
      const y = g.scratch(x.shape);
      g.dispatch(ADD_ONE, [[x, y]], [Math.ceil(5000 / 64)]);
      x = y;
    }
    g.keep(x);
    const plan = await g.compile();
    const times = await profile(gpu, plan);
    expect(times.map(({ name }) => name)).toEqual(new Array(5).fill("add-one"));
    expect(times.every(({ ms }) => ms >= 0)).toBe(true);
    expect(summarize(times)).toMatchObject([{ name: "add-one", count: 5 }]);
  });

  test("names the kernel whose dispatch is not valid", async () => {
    const gpu = await testGpu();
    const g = new Graph(gpu);
    const x = gpu.tensor("zeros", [4]);
    g.dispatch(ADD_ONE, [[x, x]], [1]); // one buffer, read and written
    const plan = await g.compile("aliased");
    await expect(profile(gpu, plan)).rejects.toThrow("aliased: add-one:");
  });
});
