import { Gpu } from "../gpu/device.ts";
import type { HardwareShaders } from "../gpu/shaders/hardware.ts";

/** `GPUBufferUsage` of the WebGPU specification, for places without WebGPU. */
const BUFFER_USAGE = {
  ...{ MAP_READ: 1, MAP_WRITE: 2, COPY_SRC: 4, COPY_DST: 8, INDEX: 16, VERTEX: 32 },
  ...{ UNIFORM: 64, STORAGE: 128, INDIRECT: 256, QUERY_RESOLVE: 512 },
};

/** Limits of current graphics cards. Smaller limits cut matrices into more pieces of the same total. */
const LIMITS = {
  maxBufferSize: 2 ** 32,
  maxStorageBufferBindingSize: 2 ** 32 - 4,
  maxComputeWorkgroupsPerDimension: 65_535,
  maxTextureDimension2D: 8192,
  maxStorageBuffersPerShaderStage: 10,
};

/**
 * @returns a device that allocates and computes nothing; it only counts the bytes of its buffers. Its bind
 *   groups are what they were made of.
 */
export function countingGpu(): Gpu {
  Object.assign(globalThis, { GPUBufferUsage: globalThis.GPUBufferUsage ?? BUFFER_USAGE });
  const pipeline = { getBindGroupLayout: () => ({}) };
  const pass = { setPipeline() {}, setBindGroup() {}, dispatchWorkgroups() {}, end() {} };
  const device = {
    limits: LIMITS,
    features: new Set<string>(),
    queue: { writeBuffer() {}, submit() {}, onSubmittedWorkDone: async () => {} },
    lost: new Promise<never>(() => {}),
    addEventListener() {},
    createBuffer: ({ size }: GPUBufferDescriptor) => ({ size, destroy() {} }),
    createShaderModule: () => ({}),
    createComputePipelineAsync: async () => pipeline,
    createCommandEncoder: () => ({
      beginComputePass: () => pass,
      copyBufferToBuffer() {},
      finish() {},
    }),
    createBindGroup: (descriptor: GPUBindGroupDescriptor) => descriptor,
    destroy() {},
  };
  const adapter = { vendor: "", architecture: "", device: "", description: "" };
  // Plans for a GPU. What its shaders say is not read.
  const hardware = new Proxy({}, { get: () => "" }) as HardwareShaders;
  const kernels = { features: device.features, hardware };
  return new Gpu(device as unknown as GPUDevice, adapter as GPUAdapterInfo, kernels);
}
