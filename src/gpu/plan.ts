import type { Gpu } from "./device.ts";
import type { Tensor } from "./tensor.ts";

export interface PlanStep {
  readonly name: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly grid: readonly [number, number, number];
}

/** A flat list of bound dispatches that can be replayed any number of times. */
export class Plan {
  readonly name: string;
  readonly steps: readonly PlanStep[];
  /** Intermediate tensors by name, if the graph was recorded with captures. */
  readonly captures: ReadonlyMap<string, Tensor>;
  readonly #gpu: Gpu;
  readonly #owned: GPUBuffer[];

  constructor(
    gpu: Gpu,
    name: string,
    steps: readonly PlanStep[],
    captures: ReadonlyMap<string, Tensor>,
    owned: GPUBuffer[],
  ) {
    this.#gpu = gpu;
    this.name = name;
    this.steps = steps;
    this.captures = captures;
    this.#owned = owned;
  }

  /** Replays in an open pass. Allocates nothing. */
  encode(pass: GPUComputePassEncoder): void {
    const steps = this.steps;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i] as PlanStep;
      pass.setPipeline(step.pipeline);
      pass.setBindGroup(0, step.bindGroup);
      pass.dispatchWorkgroups(step.grid[0], step.grid[1], step.grid[2]);
    }
  }

  /** Replays in a command buffer of its own. */
  submit(): void {
    const encoder = this.#gpu.device.createCommandEncoder({ label: this.name });
    const pass = encoder.beginComputePass();
    this.encode(pass);
    pass.end();
    this.#gpu.device.queue.submit([encoder.finish()]);
  }

  /** Frees the kept tensors. Scratch buffers are shared, and stay. */
  dispose(): void {
    for (const buffer of this.#owned.splice(0)) this.#gpu.release(buffer);
  }
}
