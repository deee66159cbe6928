import { DeviceLostError, OutOfMemoryError } from "../platform/device-error.ts";
import { type Kernels, type LoadShaders, kernelsFor } from "./kernels.ts";
import { type DType, type Tensor, bufferOf, byteSize, elementCount } from "./tensor.ts";

/** WGSL, the values of its overrides, and a name for messages and profiles. */
export interface Kernel {
  readonly name: string;
  readonly code: string;
  readonly constants?: Readonly<Record<string, number>>;
}

/** Time in ms that a loss may take to be reported. */
const LOSS_MS = 100;

const OPTIONAL_FEATURES = ["timestamp-query", "shader-f16", "subgroups"] as const;

/**
 * Opens a device with all of the adapter's limits. WebGPU's default limits are too small: a binding
 * of 128 MiB does not hold the embeddings of a vocabulary.
 *
 * @param loadShaders default: the plain kernels run
 * @throws DeviceLostError when the adapter gives no device
 */
export async function openGpu(adapter: GPUAdapter, loadShaders?: LoadShaders): Promise<Gpu> {
  const requiredLimits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value = (adapter.limits as unknown as Record<string, unknown>)[name];
    if (typeof value === "number") requiredLimits[name] = value;
  }
  const requiredFeatures = OPTIONAL_FEATURES.filter((name) =>
    adapter.features.has(name),
  ) as GPUFeatureName[];
  const device = await adapter
    .requestDevice({ requiredLimits, requiredFeatures })
    .catch((cause: unknown) => {
      throw new DeviceLostError(`the adapter gives no device: ${String(cause)}`, { cause });
    });
  const { info } = adapter;
  return new Gpu(device, info, loadShaders && (await kernelsFor(info, device, loadShaders)));
}

/** A device, its compiled pipelines, and a count of the bytes that its buffers take. */
export class Gpu {
  readonly device: GPUDevice;
  readonly adapter: GPUAdapterInfo;
  readonly kernels: Kernels;
  /** Bytes of all live buffers that were made here, and their highest sum so far. */
  bytes = 0;
  peakBytes = 0;
  /** Buffers that all plans share, which is safe because plans never run at the same time. */
  readonly scratch: GPUBuffer[] = [];
  /** Set once the device is gone. */
  lost: DeviceLostError | undefined;
  #failure: Error | undefined;
  /** By code, then by constants: code is long, and plans ask for each of their dispatches. */
  readonly #pipelines = new Map<string, Map<string, Promise<GPUComputePipeline>>>();
  readonly #constants = new Map<string, Tensor>();

  /** @param kernels default: the plain ones */
  constructor(device: GPUDevice, adapter: GPUAdapterInfo, kernels?: Kernels) {
    this.device = device;
    this.adapter = adapter;
    this.kernels = kernels ?? { features: device.features };
    void device.lost.then(({ message }) => {
      this.lost = new DeviceLostError(`the GPU was lost: ${message || "no reason given"}`);
    });
    device.addEventListener("uncapturederror", ({ error }) => {
      const full = error instanceof GPUOutOfMemoryError;
      this.#failure ??= full ? new OutOfMemoryError(error.message) : new Error(error.message);
    });
  }

  /**
   * Throws the first failure since the last call. WebGPU reports a failure late, and until then
   * computes with undefined values.
   *
   * @throws DeviceLostError, OutOfMemoryError, or Error for any other failure
   */
  throwIfFailed(): void {
    const failure = this.lost ?? this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
  }

  /**
   * What a failure comes from. A lost device fails everything that waits for it, sometimes before it
   * says that it is lost.
   *
   * @returns DeviceLostError if the device is lost, else `error`
   */
  async causeOf(error: unknown): Promise<unknown> {
    if (!this.lost && error instanceof DOMException) {
      const late = new Promise((resolve) => setTimeout(resolve, LOSS_MS));
      await Promise.race([this.device.lost, late]);
    }
    return this.lost ?? error;
  }

  /** Number of distinct pipelines so far. */
  get pipelineCount(): number {
    return [...this.#pipelines.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * Makes a buffer of zeros and counts its bytes.
   *
   * @throws OutOfMemoryError when the size is beyond the device's limit
   */
  buffer(label: string, sizeBytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const limit = this.device.limits.maxBufferSize;
    if (sizeBytes > limit) {
      throw new OutOfMemoryError(
        `buffer ${label}: ${sizeBytes} bytes, the device allows ${limit} in a buffer`,
      );
    }
    const size = Math.max(4, Math.ceil(sizeBytes / 4) * 4);
    const buffer = this.device.createBuffer({ label, size, usage });
    this.bytes += size;
    this.peakBytes = Math.max(this.peakBytes, this.bytes);
    return buffer;
  }

  /** Destroys a buffer made by `buffer`. */
  release(buffer: GPUBuffer): void {
    this.bytes -= buffer.size;
    buffer.destroy();
  }

  /** Makes a tensor that lives until its buffer is released. Without `data` it is zero. */
  tensor(
    label: string,
    shape: readonly number[],
    dtype: DType = "f32",
    data?: Float32Array | Uint32Array | Int32Array,
  ): Tensor {
    const tensor: Tensor = { label, shape, dtype };
    tensor.buffer = this.buffer(
      label,
      byteSize(tensor),
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    );
    if (data) this.write(tensor, data);
    return tensor;
  }

  /**
   * A tensor that never changes and is made once.
   *
   * @param key identifies the contents, and must name everything that they depend on
   */
  constant(
    key: string,
    shape: readonly number[],
    dtype: DType,
    make: () => Float32Array | Uint32Array,
  ): Tensor {
    let tensor = this.#constants.get(key);
    if (!tensor) {
      tensor = this.tensor(key, shape, dtype, make());
      this.#constants.set(key, tensor);
    }
    return tensor;
  }

  /**
   * Writes `data` to a tensor, from element `first` on.
   *
   * @throws RangeError when `data` reaches beyond the end
   */
  write(tensor: Tensor, data: ArrayBufferView<ArrayBufferLike>, first = 0): void {
    if (first * 4 + data.byteLength > byteSize(tensor)) {
      throw new RangeError(
        `write: ${tensor.label} has ${byteSize(tensor)} bytes, ` +
          `got ${data.byteLength} at byte ${first * 4}`,
      );
    }
    this.device.queue.writeBuffer(
      bufferOf(tensor),
      first * 4,
      data.buffer as ArrayBuffer,
      data.byteOffset,
      data.byteLength,
    );
  }

  /** Reads a whole f32 tensor. */
  async read(tensor: Tensor): Promise<Float32Array> {
    return new Float32Array(await this.readBytes(tensor));
  }

  /** Reads the bytes of a whole tensor of any type. */
  async readBytes(tensor: Tensor): Promise<ArrayBuffer> {
    const size = elementCount(tensor.shape) * 4;
    const staging = this.buffer("read", size, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(bufferOf(tensor), 0, staging, 0, size);
      this.device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      return staging.getMappedRange(0, size).slice(0);
    } finally {
      this.release(staging);
    }
  }

  /**
   * Compiles a kernel, once for each pair of code and constants.
   *
   * @throws Error with the compiler's messages, when the kernel does not compile
   */
  pipeline(kernel: Kernel): Promise<GPUComputePipeline> {
    let pipelines = this.#pipelines.get(kernel.code);
    if (!pipelines) this.#pipelines.set(kernel.code, (pipelines = new Map()));
    const key = JSON.stringify(kernel.constants ?? {});
    let pipeline = pipelines.get(key);
    if (!pipeline) {
      pipeline = compile(this.device, kernel);
      pipelines.set(key, pipeline);
      // A failure must not be kept: a later call may succeed.
      pipeline.catch(() => pipelines.delete(key));
    }
    return pipeline;
  }

  /** Frees everything, the device included. */
  destroy(): void {
    this.#pipelines.clear();
    this.#constants.clear();
    this.scratch.length = 0;
    this.bytes = 0;
    this.device.destroy();
  }
}

async function compile(device: GPUDevice, kernel: Kernel): Promise<GPUComputePipeline> {
  const module = device.createShaderModule({ label: kernel.name, code: kernel.code });
  try {
    return await device.createComputePipelineAsync({
      label: kernel.name,
      layout: "auto",
      compute: { module, entryPoint: "main", constants: { ...kernel.constants } },
    });
  } catch (cause) {
    const { messages } = await module.getCompilationInfo();
    const lines = kernel.code.split("\n");
    const errors = messages
      .filter((message) => message.type === "error")
      .map((m) => `  ${m.lineNum}:${m.linePos} ${m.message}\n    ${lines[m.lineNum - 1] ?? ""}`);
    const reason = errors.length > 0 ? errors.join("\n") : (cause as Error).message;
    throw new Error(`kernel ${kernel.name} does not compile:\n${reason}`, { cause });
  }
}
