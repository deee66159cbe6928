import type { Gpu, Kernel } from "./device.ts";
import { Plan, type PlanStep } from "./plan.ts";
import { type DType, type Tensor, byteSize, bufferOf } from "./tensor.ts";

/** One recorded dispatch: bind group `i` holds `groups[i]` at bindings 0, 1, 2 ... */
interface Dispatch {
  readonly kernel: Kernel;
  readonly groups: readonly (readonly Tensor[])[];
  readonly grid: readonly [number, number, number];
}

export interface GraphOptions {
  /** Keep every tensor that the model `capture`s readable after a run. */
  readonly captures?: boolean;
}

/**
 * Records what a model does, once for each row bucket. Nothing runs until the `Plan` that
 * `compile` returns is replayed.
 */
export class Graph {
  readonly gpu: Gpu;
  readonly #dispatches: Dispatch[] = [];
  readonly #scratch = new Set<Tensor>();
  readonly #kept = new Set<Tensor>();
  readonly #captures = new Map<string, Tensor>();
  readonly #keepCaptures: boolean;

  constructor(gpu: Gpu, { captures = false }: GraphOptions = {}) {
    this.gpu = gpu;
    this.#keepCaptures = captures;
  }

  /** A tensor that exists from its first to its last use; its memory is shared with others. */
  scratch(shape: readonly number[], label = "scratch", dtype: DType = "f32"): Tensor {
    const tensor: Tensor = { label, shape, dtype };
    this.#scratch.add(tensor);
    return tensor;
  }

  /** Makes a scratch tensor readable after the run. */
  keep(tensor: Tensor): Tensor {
    this.#kept.add(tensor.base ?? tensor);
    return tensor;
  }

  /** Names an intermediate, for comparison with a reference. Costs nothing unless captures are on. */
  capture(name: string, tensor: Tensor): Tensor {
    if (!this.#keepCaptures) return tensor;
    this.#captures.set(name, tensor);
    return this.keep(tensor);
  }

  /**
   * Records a dispatch of `grid` workgroups.
   *
   * @param groups tensors of bind group 0, 1, ... in binding order
   * @throws RangeError when a grid dimension is beyond the device's limit
   */
  dispatch(
    kernel: Kernel,
    groups: readonly (readonly Tensor[])[],
    grid: readonly [number, number?, number?],
  ): void {
    const limit = this.gpu.device.limits.maxComputeWorkgroupsPerDimension;
    const [x, y = 1, z = 1] = grid;
    if (Math.max(x, y, z) > limit || Math.min(x, y, z) < 1) {
      throw new RangeError(`${kernel.name}: grid [${[x, y, z]}], each must be 1 to ${limit}`);
    }
    this.#dispatches.push({ kernel, groups, grid: [x, y, z] });
  }

  /**
   * Compiles all pipelines side by side, places the scratch tensors, and binds everything.
   *
   * @throws RangeError when a scratch tensor is larger than the device's buffers or bindings
   */
  async compile(name = "plan"): Promise<Plan> {
    const owned = this.#place();
    const pipelines = await Promise.all(
      this.#dispatches.map(({ kernel }) => this.gpu.pipeline(kernel)),
    );
    const steps = this.#dispatches.map((dispatch, i) =>
      this.#bind(dispatch, pipelines[i] as GPUComputePipeline),
    );
    return new Plan(this.gpu, name, steps, this.#captures, owned);
  }

  /** The scratch tensors that a dispatch uses. */
  #scratchOf({ groups }: Dispatch): Set<Tensor> {
    const bases = groups.flat().map((tensor) => tensor.base ?? tensor);
    return new Set(bases.filter((tensor) => this.#scratch.has(tensor)));
  }

  #bind({ kernel, groups, grid }: Dispatch, pipeline: GPUComputePipeline): PlanStep {
    const bindGroups = groups.map((tensors, index) =>
      this.gpu.device.createBindGroup({
        label: kernel.name,
        layout: pipeline.getBindGroupLayout(index),
        entries: tensors.map((tensor, binding) => ({
          binding,
          // The exact size, so that arrayLength() tells a kernel its number of rows.
          resource: { buffer: bufferOf(tensor), size: byteSize(tensor) },
        })),
      }),
    );
    return { name: kernel.name, pipeline, bindGroups, grid };
  }

  /**
   * Gives each scratch tensor a whole buffer for the span of its life (a buffer can't be bound
   * for reading and writing in one dispatch, so parts of one arena would not do).
   *
   * @returns the buffers that belong to this plan alone
   */
  #place(): GPUBuffer[] {
    const last = new Map<Tensor, number>();
    this.#dispatches.forEach((dispatch, index) => {
      for (const tensor of this.#scratchOf(dispatch)) last.set(tensor, index);
    });
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const owned: GPUBuffer[] = [];
    const free = [...this.gpu.scratch];
    this.#dispatches.forEach((dispatch, index) => {
      const used = this.#scratchOf(dispatch);
      for (const tensor of used) {
        if (tensor.buffer) continue;
        const size = byteSize(tensor);
        const limit = this.gpu.device.limits.maxStorageBufferBindingSize;
        if (size > limit) {
          throw new RangeError(
            `${dispatch.kernel.name}: ${tensor.label} [${tensor.shape}]: ${size} bytes asked, ` +
              `the device allows ${limit} in a binding`,
          );
        }
        if (this.#kept.has(tensor)) {
          tensor.buffer = this.gpu.buffer(tensor.label, size, usage);
          owned.push(tensor.buffer);
          continue;
        }
        tensor.buffer = takeBestFit(free, size);
        if (!tensor.buffer) {
          tensor.buffer = this.gpu.buffer(`scratch of ${dispatch.kernel.name}`, size, usage);
          this.gpu.scratch.push(tensor.buffer);
        }
      }
      for (const tensor of used) {
        if (last.get(tensor) === index && !this.#kept.has(tensor)) free.push(bufferOf(tensor));
      }
    });
    return owned;
  }
}

/** Removes and returns the smallest free buffer that holds `size` bytes. */
function takeBestFit(free: GPUBuffer[], size: number): GPUBuffer | undefined {
  let best = -1;
  free.forEach((buffer, i) => {
    const smaller = best < 0 || buffer.size < (free[best] as GPUBuffer).size;
    if (buffer.size >= size && smaller) best = i;
  });
  return best < 0 ? undefined : free.splice(best, 1)[0];
}
