/** Lanes of the workgroups of kernels with subgroups, and workgroups of each kind that are looked at. */
const WORKGROUP_LANES = [64, 128];
const WORKGROUPS = 256;

/**
 * WebGPU doesn't say which lanes of a workgroup are in a subgroup. All known drivers take neighbours, in
 * order, and kernels with subgroups need that.
 *
 * @param code hardware/probe-lanes.wgsl
 * @param least lanes that a subgroup has at least
 * @returns whether it is so on this device
 * @throws Error when the kernel does not compile
 */
export async function lanesInOrder(
  device: GPUDevice,
  code: string,
  least: number,
): Promise<boolean> {
  const module = device.createShaderModule({ label: "probe-lanes", code });
  const pipelines = await Promise.all(
    WORKGROUP_LANES.map((LANES) => {
      const constants = { LANES, LEAST: least };
      return device.createComputePipelineAsync({ layout: "auto", compute: { module, constants } });
    }),
  );
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const misplaced = device.createBuffer({ size: 4, usage: STORAGE | COPY_SRC });
  const staging = device.createBuffer({ size: 4, usage: MAP_READ | COPY_DST });
  try {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const pipeline of pipelines) {
      const entries = [{ binding: 0, resource: { buffer: misplaced } }];
      const layout = pipeline.getBindGroupLayout(0);
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
      pass.dispatchWorkgroups(WORKGROUPS);
    }
    pass.end();
    encoder.copyBufferToBuffer(misplaced, 0, staging, 0, 4);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    return new Uint32Array(staging.getMappedRange())[0] === 0;
  } finally {
    misplaced.destroy();
    staging.destroy();
  }
}
