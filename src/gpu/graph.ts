import { OutOfMemoryError } from "../platform/device-error.ts";
import { joinGroups } from "./bindings.ts";
import type { Gpu, Kernel } from "./device.ts";
import type { Kernels } from "./kernels.ts";
import { Plan, type PlanStep } from "./plan.ts";
import { type DType, type Tensor, byteSize, bufferOf } from "./tensor.ts";

/** A recorded dispatch. Its tensors are at bindings 0, 1, 2 ... of the only bind group. */
interface Dispatch {
  readonly kernel: Kernel;
  readonly tensors: readonly Tensor[];
  readonly grid: readonly [number, number, number];
}

export interface GraphOptions {
  /** Keeps every tensor that the model captures, so that it can be read after a run. */
  readonly captures?: boolean;
  /** What ops choose their kernels by. Default: the device's. */
  readonly kernels?: Kernels | undefined;
}

/**
 * Records a model's dispatches, once for each bucket of token rows. Nothing runs until the `Plan`
 * that `compile` returns is replayed.
 */
export class Graph {
  readonly gpu: Gpu;
  readonly kernels: Kernels;
  readonly #dispatches: Dispatch[] = [];
  readonly #scratch = new Set<Tensor>();
  readonly #kept = new Set<Tensor>();
  readonly #captures = new Map<string, Tensor>();
  readonly #keepCaptures: boolean;

  constructor(gpu: Gpu, { captures = false, kernels = gpu.kernels }: GraphOptions = {}) {
    this.gpu = gpu;
    this.kernels = kernels;
    this.#keepCaptures = captures;
  }

  /** A tensor that is valid from its first use to its last. Other tensors share its memory. */
  scratch(shape: readonly number[], label = "scratch", dtype: DType = "f32"): Tensor {
    const tensor: Tensor = { label, shape, dtype };
    this.#scratch.add(tensor);
    return tensor;
  }

  /** Makes a scratch tensor readable after a run. */
  keep(tensor: Tensor): Tensor {
    this.#kept.add(tensor.base ?? tensor);
    return tensor;
  }

  /**
   * Makes a scratch tensor lie at the start of a tensor that outlives the plan.
   *
   * @throws TypeError when it is not a scratch tensor of this graph, or is larger
   */
  place(tensor: Tensor, target: Tensor): void {
    const { label, shape } = tensor;
    const own = tensor.base ?? tensor;
    if (byteSize(own) > byteSize(target) || !this.#scratch.delete(own)) {
      throw new TypeError(
        `place: ${label} [${shape}] can't be placed in ${target.label} [${target.shape}]`,
      );
    }
    own.buffer = bufferOf(target);
  }

  /** Names an intermediate tensor for tests, which compare it with a reference. Free by default. */
  capture(name: string, tensor: Tensor): Tensor {
    if (!this.#keepCaptures) return tensor;
    this.#captures.set(name, tensor);
    return this.keep(tensor);
  }

  /**
   * Records a dispatch of `grid` workgroups.
   *
   * @param groups the tensors of the groups 0, 1, ... that the kernel's code declares, each in binding
   *   order. They become one bind group.
   * @throws RangeError when a dimension of the grid is 0 or beyond the device's limit
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
    const code = joinGroups(
      kernel.code,
      groups.map(({ length }) => length),
    );
    this.#dispatches.push({
      kernel: { ...kernel, code },
      tensors: groups.flat(),
      grid: [x, y, z],
    });
  }

  /**
   * Compiles all pipelines in parallel, gives the scratch tensors their buffers, and binds them.
   *
   * @throws OutOfMemoryError when a scratch tensor is larger than the device's buffers or bindings
   * @throws Error when a kernel does not compile
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
  #scratchOf({ tensors }: Dispatch): Set<Tensor> {
    const bases = tensors.map((tensor) => tensor.base ?? tensor);
    return new Set(bases.filter((tensor) => this.#scratch.has(tensor)));
  }

  #bind({ kernel, tensors, grid }: Dispatch, pipeline: GPUComputePipeline): PlanStep {
    const bindGroup = this.gpu.device.createBindGroup({
      label: kernel.name,
      layout: pipeline.getBindGroupLayout(0),
      entries: tensors.map((tensor, binding) => ({
        binding,
        // The exact size: kernels derive the number of rows from arrayLength().
        resource: { buffer: bufferOf(tensor), size: byteSize(tensor) },
      })),
    });
    return { name: kernel.name, pipeline, bindGroup, grid };
  }

  /**
   * Gives each scratch tensor a buffer from its first use to its last. Ranges of one large buffer
   * would not do: a dispatch can't bind the same buffer for reading and for writing.
   *
   * @returns the buffers of this plan alone
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
          throw new OutOfMemoryError(
            `compile: ${dispatch.kernel.name}: ${tensor.label} [${tensor.shape}] takes ` +
              `${size} bytes, the device can bind ${limit}`,
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

/** Removes and returns the smallest free buffer of at least `size` bytes. */
function takeBestFit(free: GPUBuffer[], size: number): GPUBuffer | undefined {
  let best = -1;
  free.forEach((buffer, i) => {
    const smaller = best < 0 || buffer.size < (free[best] as GPUBuffer).size;
    if (buffer.size >= size && smaller) best = i;
  });
  return best < 0 ? undefined : free.splice(best, 1)[0];
}
