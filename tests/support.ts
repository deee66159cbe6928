import { type Gpu, openGpu } from "../src/gpu/device.ts";
import { Graph } from "../src/gpu/graph.ts";
import type { Kernels } from "../src/gpu/kernels.ts";
import { loadShaders } from "../src/gpu/shaders/load-shaders.ts";
import type { Tensor } from "../src/gpu/tensor.ts";

let shared: Promise<Gpu> | undefined;

/** One device for a test file. */
export function testGpu(): Promise<Gpu> {
  shared ??= navigator.gpu.requestAdapter().then((adapter) => {
    if (!adapter) throw new Error("testGpu: this browser has no WebGPU adapter");
    return openGpu(adapter, loadShaders);
  });
  return shared;
}

/** A device with WebGPU's default limits (128 MiB a binding, say), which every device has. */
export async function smallestGpu(): Promise<Gpu> {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("smallestGpu: this browser has no WebGPU adapter");
  const { features, info } = adapter;
  const gpu = await openGpu(
    {
      features,
      info,
      limits: {} as GPUSupportedLimits,
      requestDevice: (wanted) => adapter.requestDevice(wanted),
    } as GPUAdapter,
    loadShaders,
  );
  const { maxStorageBufferBindingSize } = gpu.device.limits;
  if (maxStorageBufferBindingSize === 2 ** 27) return gpu;
  throw new Error(`smallestGpu: bindings of ${maxStorageBufferBindingSize} bytes`);
}

/** Seeded numbers in [-1, 1) (mulberry32). */
export function random(count: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  });
}

/** Seeded numbers of the standard normal distribution (Box-Muller). */
export function normal(count: number, seed = 1): Float32Array {
  const uniform = random(2 * count, seed).map((value) => (value + 1) / 2);
  return Float32Array.from({ length: count }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform[2 * i]!));
    return radius * Math.cos(2 * Math.PI * uniform[2 * i + 1]!);
  });
}

/** @returns the root of the mean squared error, as a share of the expected values' rms */
export function rmsError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [error, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i]! - expected[i]!) ** 2;
    size += expected[i]! ** 2;
  }
  return Math.sqrt(error / size);
}

/**
 * Records, compiles, runs and reads one op's output.
 *
 * @param kernels default: the device's
 */
export async function runOp(
  gpu: Gpu,
  record: (g: Graph) => Tensor,
  kernels?: Kernels,
): Promise<Float32Array> {
  const g = new Graph(gpu, { kernels });
  const output = g.keep(record(g));
  const plan = await g.compile();
  plan.submit();
  const values = await gpu.read(output);
  plan.dispose();
  return values;
}

/** Throws unless every value is within `tolerance` times the expected values' rms. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance = 1e-5,
): void {
  if (actual.length !== expected.length) {
    throw new Error(`expectClose: ${actual.length} values, expected ${expected.length}`);
  }
  let squares = 0;
  for (let i = 0; i < expected.length; i++) squares += (expected[i] as number) ** 2;
  const allowed = tolerance * Math.max(Math.sqrt(squares / expected.length), 1e-6);
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((actual[i] as number) - (expected[i] as number));
    if (!(difference <= allowed)) {
      throw new Error(
        `expectClose: [${i}] is ${actual[i]}, expected ${expected[i]} within ${allowed}`,
      );
    }
  }
}
