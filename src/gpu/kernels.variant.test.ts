import { expect, test } from "vitest";
import { testGpu } from "../../tests/support.ts";
import { kernelsFor } from "./kernels.ts";
import { lanesInOrder } from "./probe-lanes.ts";
import { hardware } from "./shaders/hardware.ts";

/** An adapter that is not known as software. */
const named = (info: Partial<GPUAdapterInfo>) => info as GPUAdapterInfo;

test("subgroups are used where their lanes are in order", async () => {
  const { device, adapter } = await testGpu();
  expect(device.features.has("subgroups")).toBe(true);
  const { subgroupMinSize = 0 } = adapter;
  expect(await lanesInOrder(device, hardware.probeLanes, subgroupMinSize)).toBe(true);
  const info = named({ vendor: "v", architecture: "", description: "", subgroupMinSize });
  const kernels = await kernelsFor(info, device, async () => ({ hardware }));
  expect(kernels).toMatchObject({ hardware, subgroupLanes: subgroupMinSize });
  expect(kernels.features).toContain("subgroups");
});

test("subgroups with fewer lanes than the adapter says are not used", async () => {
  const { device } = await testGpu();
  const info = named({ vendor: "v", architecture: "", description: "", subgroupMinSize: 256 });
  const kernels = await kernelsFor(info, device, async () => ({ hardware }));
  expect(kernels.hardware).toBe(hardware);
  expect(kernels.features).not.toContain("subgroups");
});

test("without the adapter's shaders, the plain kernels run", async () => {
  const { device } = await testGpu();
  const warn = console.warn;
  const warned: unknown[] = [];
  console.warn = (...args: unknown[]) => warned.push(args);
  try {
    const failing = () => Promise.reject(new Error("offline"));
    const kernels = await kernelsFor(named({ vendor: "v" }), device, failing);
    expect(kernels).toEqual({ features: device.features });
    expect(warned).toHaveLength(1);
  } finally {
    console.warn = warn;
  }
});
