import type { Gpu } from "./device.ts";
import { type Tensor, bufferOf, byteSize } from "./tensor.ts";

/**
 * Runs one kernel now, without a plan. It serves work whose sizes change every time, such as the
 * preprocessing of images. The inputs may be released as soon as it returns.
 *
 * @param tensors the tensors of bind group 0, in binding order
 */
export function dispatch(
  gpu: Gpu,
  pipeline: GPUComputePipeline,
  tensors: readonly Tensor[],
  grid: readonly [number, number?],
): void {
  const bindGroup = gpu.device.createBindGroup({
    label: pipeline.label,
    layout: pipeline.getBindGroupLayout(0),
    entries: tensors.map((tensor, binding) => ({
      binding,
      resource: { buffer: bufferOf(tensor), size: byteSize(tensor) },
    })),
  });
  const encoder = gpu.device.createCommandEncoder({ label: pipeline.label });
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(...grid);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
}
