import type { Gpu } from "../src/gpu/device.ts";
import { type Tensor, bufferOf } from "../src/gpu/tensor.ts";
import { countingGpu } from "../src/runtime/counting-device.ts";

interface MemoryBuffer {
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Counts the dispatches of a `memoryGpu`. */
export interface Dispatches {
  count: number;
}

/**
 * @returns a device that keeps what is written to its buffers. Its kernels fill the buffers that are bound
 *   to group 0, behind the first, with bytes that depend on the place in the buffer.
 */
export function memoryGpu(dispatches: Dispatches = { count: 0 }): Gpu {
  const gpu = countingGpu();
  Object.assign(globalThis, { GPUMapMode: { READ: 1 } });
  const pass = () => {
    let bound: { readonly resource: { readonly buffer: MemoryBuffer } }[] = [];
    return {
      setPipeline() {},
      setBindGroup(index: number, entries: typeof bound) {
        if (index === 0) bound = entries;
      },
      dispatchWorkgroups() {
        dispatches.count++;
        for (const { resource } of bound.slice(1)) {
          const { data } = resource.buffer;
          for (let i = 0; i < data.length; i++) data[i] = (31 * i + (i >> 8) + data.length) & 255;
        }
      },
      end() {},
    };
  };
  const copyBufferToBuffer = (
    source: MemoryBuffer,
    from: number,
    target: MemoryBuffer,
    to: number,
    size: number,
  ) => target.data.set(source.data.subarray(from, from + size), to);
  Object.assign(gpu.device, {
    createBuffer: ({ size }: GPUBufferDescriptor) => {
      const data = new Uint8Array(size);
      const getMappedRange = (begin: number, length: number) =>
        data.slice(begin, begin + length).buffer;
      return { size, data, destroy() {}, mapAsync: async () => {}, getMappedRange, unmap() {} };
    },
    createBindGroup: ({ entries }: { readonly entries: unknown }) => entries,
    createCommandEncoder: () => ({ beginComputePass: pass, copyBufferToBuffer, finish() {} }),
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
