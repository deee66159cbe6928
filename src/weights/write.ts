import quantizeBf16 from "../../shaders/quantize-bf16.wgsl?raw";
import quantizeF16 from "../../shaders/quantize-f16.wgsl?raw";
import quantizeF32 from "../../shaders/quantize-f32.wgsl?raw";
import quantizeQ4 from "../../shaders/quantize-q4.wgsl?raw";
import quantizeQ8 from "../../shaders/quantize-q8.wgsl?raw";
import bf16 from "../../shaders/weights/bf16.wgsl?raw";
import f16 from "../../shaders/weights/f16.wgsl?raw";
import f32 from "../../shaders/weights/f32.wgsl?raw";
import type { Gpu } from "../gpu/device.ts";
import { bufferOf } from "../gpu/tensor.ts";
import type { Weight, WeightFormat, WeightSlice } from "../gpu/weight.ts";

/** Element types of a checkpoint, as safetensors spells them. */
export type SourceType = "F32" | "F16" | "BF16";

/** Source rows are a weight of their own to the kernels. */
const SOURCES: Readonly<Record<SourceType, { code: string; format: WeightFormat; bytes: number }>> =
  {
    F32: { code: f32, format: "f32", bytes: 4 },
    F16: { code: f16, format: "f16", bytes: 2 },
    BF16: { code: bf16, format: "bf16", bytes: 2 },
  };

const QUANTIZE: Readonly<Record<WeightFormat, string>> = {
  f32: quantizeF32,
  f16: quantizeF16,
  bf16: quantizeBf16,
  q8: quantizeQ8,
  q4: quantizeQ4,
};

/** Bytes of source that go up at a time: few enough for a grid of one dimension. */
const STAGING_BYTES = 16 << 20;
/** Bytes that may be under way before the CPU waits. */
const IN_FLIGHT_BYTES = 4 * STAGING_BYTES;
const LANES = 64;

interface Staging {
  source: GPUBuffer;
  /** First row and number of rows. */
  readonly rows: GPUBuffer;
}

const stagings = new WeakMap<Gpu, Staging>();

/** Frees what `writeWeightRows` keeps between calls. */
export function releaseStaging(gpu: Gpu): void {
  const staging = stagings.get(gpu);
  if (!staging) return;
  stagings.delete(gpu);
  gpu.release(staging.source);
  gpu.release(staging.rows);
}

/**
 * Writes rows `firstRow ..< firstRow + rows` of a weight, encoding them on the GPU. Resolves when
 * `source` may be reused; the work itself may still be queued, before whatever is submitted next.
 *
 * @param source row-major `[rows, D]` as in a checkpoint
 * @throws RangeError when the rows are not the weight's, or `source` is not that long
 */
export async function writeWeightRows(
  gpu: Gpu,
  weight: Weight,
  firstRow: number,
  rows: number,
  source: Uint8Array,
  dtype: SourceType,
): Promise<void> {
  const [O, D] = weight.shape;
  const rowBytes = D * SOURCES[dtype].bytes;
  if (firstRow < 0 || rows < 0 || firstRow + rows > O) {
    throw new RangeError(
      `writeWeightRows: ${weight.label}: rows ${firstRow} to ${firstRow + rows}, it has ${O}`,
    );
  }
  if (source.byteLength !== rows * rowBytes) {
    throw new RangeError(
      `writeWeightRows: ${weight.label}: ${source.byteLength} bytes, expected ${rows * rowBytes}`,
    );
  }
  const pipeline = await pipelineFor(gpu, weight, dtype);
  const step = Math.max(1, Math.floor(STAGING_BYTES / rowBytes));
  for (const slice of weight.slices) {
    const begin = Math.max(firstRow, slice.first);
    const end = Math.min(firstRow + rows, slice.first + slice.rows);
    for (let row = begin; row < end; row += step) {
      const count = Math.min(step, end - row);
      const bytes = source.subarray(
        (row - firstRow) * rowBytes,
        (row - firstRow + count) * rowBytes,
      );
      if (pipeline) encode(gpu, pipeline, weight, slice, row - slice.first, count, bytes);
      else gpu.write(slice.parts[0]!, bytes, ((row - slice.first) * rowBytes) / 4);
      await throttle(gpu, bytes.byteLength);
    }
  }
}

/** @returns undefined where the format stores the source's bytes as they are */
function pipelineFor(
  gpu: Gpu,
  weight: Weight,
  dtype: SourceType,
): Promise<GPUComputePipeline> | undefined {
  const source = SOURCES[dtype];
  if (source.format === weight.format) return undefined;
  return gpu.pipeline({
    name: `quantize_${weight.format} from ${source.format}`,
    code: source.code + QUANTIZE[weight.format],
    constants: { D: weight.shape[1], ...weight.constants },
  });
}

/** Uploads rows into the staging buffer and encodes them from there, in one go. */
function encode(
  gpu: Gpu,
  pipeline: GPUComputePipeline,
  weight: Weight,
  slice: WeightSlice,
  row: number,
  count: number,
  bytes: Uint8Array,
): void {
  const { device } = gpu;
  const { source, rows } = stagingOf(gpu, bytes.byteLength);
  device.queue.writeBuffer(source, 0, bytes as Uint8Array<ArrayBuffer>);
  device.queue.writeBuffer(rows, 0, new Uint32Array([row, count]));
  const bind = (index: number, resources: readonly GPUBindingResource[]) =>
    device.createBindGroup({
      label: weight.label,
      layout: pipeline.getBindGroupLayout(index),
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
  const parts = slice.parts.map((part) => ({ buffer: bufferOf(part) }));
  const encoder = device.createCommandEncoder({ label: weight.label });
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bind(0, [{ buffer: rows }, ...parts]));
  pass.setBindGroup(1, bind(1, [{ buffer: source, size: bytes.byteLength }]));
  pass.dispatchWorkgroups(Math.ceil((count * unitsPerRow(weight)) / LANES));
  pass.end();
  device.queue.submit([encoder.finish()]);
}

/** @returns what the lanes of an encoding kernel divide among them: blocks, or groups of four */
function unitsPerRow({ shape: [, D], format, constants }: Weight): number {
  if (format === "q4") return Math.ceil(D / (constants.BLOCK as number));
  if (format === "q8") return Math.ceil(D / 32);
  return D / 4;
}

function stagingOf(gpu: Gpu, bytes: number): Staging {
  let staging = stagings.get(gpu);
  if (!staging) {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    staging = {
      source: gpu.buffer("weights staging", bytes, usage),
      rows: gpu.buffer("weights staging rows", 8, usage),
    };
    stagings.set(gpu, staging);
  } else if (staging.source.size < bytes) {
    const { usage } = staging.source;
    gpu.release(staging.source);
    staging.source = gpu.buffer(
      "weights staging",
      Math.max(bytes, Math.min(STAGING_BYTES, 2 * bytes)),
      usage,
    );
  }
  return staging;
}

const inFlight = new WeakMap<Gpu, number>();

/** Waits for the queue once much is under way, so that uploads never pile up in memory. */
async function throttle(gpu: Gpu, bytes: number): Promise<void> {
  const total = (inFlight.get(gpu) ?? 0) + bytes;
  inFlight.set(gpu, total > IN_FLIGHT_BYTES ? 0 : total);
  if (total > IN_FLIGHT_BYTES) await gpu.device.queue.onSubmittedWorkDone();
}
