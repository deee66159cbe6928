import type { Gpu } from "../src/gpu/device.ts";
import { type Tensor, bufferOf } from "../src/gpu/tensor.ts";
import { countingGpu } from "../src/runtime/counting-device.ts";

interface MemoryBuffer {
  readonly data: Uint8Array<ArrayBuffer>;
}

/** @returns a device that keeps what is written to its buffers, and computes nothing */
export function memoryGpu(): Gpu {
  const gpu = countingGpu();
  Object.assign(gpu.device, {
    createBuffer: ({ size }: GPUBufferDescriptor) => {
      return { size, data: new Uint8Array(size), destroy() {} };
    },
  });
  Object.assign(gpu.device.queue, {
    writeBuffer(
      { data }: MemoryBuffer,
      offset: number,
      source: ArrayBuffer,
      begin: number,
      size: number,
    ) {
      data.set(new Uint8Array(source, begin, size), offset);
    },
    onSubmittedWorkDone: async () => {},
  });
  return gpu;
}

/** @returns the bytes of a tensor of `memoryGpu` */
export function readMemory(tensor: Tensor): Uint8Array<ArrayBuffer> {
  return (bufferOf(tensor) as unknown as MemoryBuffer).data;
}
