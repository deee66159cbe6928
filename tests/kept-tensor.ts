import type { Gpu } from "../src/gpu/device.ts";
import type { Tensor } from "../src/gpu/tensor.ts";
import { type KvType, kvTensor } from "../src/ops/cache.ts";
import { fromF16, toF16 } from "../src/weights/half-floats.ts";

/**
 * Keys or values on the GPU.
 *
 * @param data `[rows, width]`; for f16 it is rounded in place, to what the GPU holds
 */
export function keptTensor(
  gpu: Gpu,
  label: string,
  data: Float32Array,
  width: number,
  type: KvType,
): Tensor {
  const { shape, dtype } = kvTensor(type, data.length / width, width);
  if (type === "f32") return gpu.tensor(label, shape, dtype, data);
  const halves = Uint16Array.from(data, toF16);
  halves.forEach((bits, i) => (data[i] = fromF16(bits)));
  return gpu.tensor(label, shape, dtype, new Uint32Array(halves.buffer));
}

/** @returns `[rows, width]` of keys or values on the GPU */
export async function readKept(gpu: Gpu, tensor: Tensor): Promise<Float32Array> {
  if (tensor.dtype === "f32") return gpu.read(tensor);
  return Float32Array.from(new Uint16Array(await gpu.readBytes(tensor)), fromF16);
}
