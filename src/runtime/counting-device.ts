import { Gpu } from "../gpu/device.ts";

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
};

/** @returns a device that allocates and computes nothing; it only counts the bytes of its buffers */
export function countingGpu(): Gpu {
  Object.assign(globalThis, { GPUBufferUsage: globalThis.GPUBufferUsage ?? BUFFER_USAGE });
  const pipeline = { getBindGroupLayout: () => ({}) };
  const device = {
    limits: LIMITS,
    features: new Set<string>(),
    queue: { writeBuffer() {}, submit() {} },
    lost: new Promise<never>(() => {}),
    addEventListener() {},
    createBuffer: ({ size }: GPUBufferDescriptor) => ({ size, destroy() {} }),
    createShaderModule: () => ({}),
    createComputePipelineAsync: async () => pipeline,
    createBindGroup: () => ({}),
    destroy() {},
  };
  const adapter = { vendor: "", architecture: "", device: "", description: "" };
  return new Gpu(device as unknown as GPUDevice, adapter as GPUAdapterInfo);
}
