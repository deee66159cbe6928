import type { Gpu } from "../src/gpu/device.ts";
import type { Plan, PlanStep } from "../src/gpu/plan.ts";

export interface StepTime {
  readonly name: string;
  readonly ms: number;
}

/**
 * Runs a plan's dispatches one at a time, and times each of them: by timestamp queries where the
 * device has them, else by waiting for the queue.
 *
 * @throws Error that names the kernel, when a dispatch is not valid; a replay would hide the name
 */
export async function profile(gpu: Gpu, plan: Plan): Promise<StepTime[]> {
  const timed = gpu.device.features.has("timestamp-query");
  const times: StepTime[] = [];
  for (const step of plan.steps) {
    gpu.device.pushErrorScope("validation");
    const ms = timed ? await timeByQuery(gpu, step) : await timeByQueue(gpu, step);
    const error = await gpu.device.popErrorScope();
    if (error) throw new Error(`${plan.name}: ${step.name}: ${error.message}`);
    times.push({ name: step.name, ms });
  }
  return times;
}

/** @returns milliseconds and count of each kernel, the slowest first */
export function summarize(
  times: readonly StepTime[],
): { name: string; ms: number; count: number }[] {
  const sums = new Map<string, { name: string; ms: number; count: number }>();
  for (const { name, ms } of times) {
    const sum = sums.get(name) ?? { name, ms: 0, count: 0 };
    sums.set(name, { name, ms: sum.ms + ms, count: sum.count + 1 });
  }
  return [...sums.values()].sort((a, b) => b.ms - a.ms);
}

function encodeStep(pass: GPUComputePassEncoder, step: PlanStep): void {
  pass.setPipeline(step.pipeline);
  pass.setBindGroup(0, step.bindGroup);
  pass.dispatchWorkgroups(...step.grid);
  pass.end();
}

async function timeByQuery(gpu: Gpu, step: PlanStep): Promise<number> {
  const { device } = gpu;
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
  const resolved = gpu.buffer(
    "timestamps",
    16,
    GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  );
  const staging = gpu.buffer("timestamps", 16, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
  const encoder = device.createCommandEncoder();
  const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  encodeStep(encoder.beginComputePass({ timestampWrites }), step);
  encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const [begin = 0n, end = 0n] = new BigUint64Array(staging.getMappedRange());
  for (const buffer of [resolved, staging]) gpu.release(buffer);
  querySet.destroy();
  return Number(end - begin) / 1e6;
}

async function timeByQueue(gpu: Gpu, step: PlanStep): Promise<number> {
  await gpu.device.queue.onSubmittedWorkDone();
  const begin = performance.now();
  const encoder = gpu.device.createCommandEncoder();
  encodeStep(encoder.beginComputePass(), step);
  gpu.device.queue.submit([encoder.finish()]);
  await gpu.device.queue.onSubmittedWorkDone();
  return performance.now() - begin;
}
