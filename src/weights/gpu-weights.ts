import type { Gpu } from "../gpu/device.ts";
import { type Tensor, bufferOf, elementCount } from "../gpu/tensor.ts";
import { type Weight, weightBytes } from "../gpu/weight.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type Quantization, chooseFormat } from "./choose-format.ts";
import { allocateWeight } from "./format.ts";
import type { WriteRows } from "./row-writer.ts";
import type { TensorInfo } from "./safetensors.ts";
import { suggestNames } from "./suggest-names.ts";
import { toFloat32 } from "./to-float32.ts";
import { type UploadOptions, type Wanted, upload } from "./upload.ts";
import { type SourceType, releaseStaging, writeWeightRows } from "./write.ts";

export type { Quantization };

export interface GpuWeightsOptions {
  readonly quantization?: Quantization;
  /** The checkpoint's name of a tensor that it doesn't have under the name asked for. */
  readonly rename?: (name: string) => string;
}

/** The weights below a prefix. */
export interface WeightsUnder {
  under(prefix: string): WeightsUnder;
  has(name: string): boolean;
  matrix(name: string | readonly string[]): Weight;
  vector(name: string | readonly string[]): Tensor;
}

const SOURCE_TYPES: readonly string[] = ["F32", "F16", "BF16"] satisfies SourceType[];

/** A tensor that was asked for and that there is. */
interface Found {
  readonly name: string;
  readonly info: TensorInfo;
  readonly dtype: SourceType;
}

/**
 * A checkpoint's tensors on the GPU. A model asks for them while it is recorded, which makes room
 * for them; `load` then fills them all in one pass over the files. The same names always give the
 * same object.
 */
export class GpuWeights implements WeightsUnder {
  readonly #gpu: Gpu;
  readonly #checkpoint: Pick<Checkpoint, "id" | "tensors" | "weightBytes">;
  readonly #quantization: Quantization;
  readonly #rename: (name: string) => string;
  readonly #matrices = new Map<string, Weight>();
  readonly #vectors = new Map<string, Tensor>();
  readonly #wanted: Wanted[] = [];
  #closed = false;

  constructor(
    gpu: Gpu,
    checkpoint: Pick<Checkpoint, "id" | "tensors" | "weightBytes">,
    { quantization = "auto", rename = (name) => name }: GpuWeightsOptions = {},
  ) {
    this.#gpu = gpu;
    this.#checkpoint = checkpoint;
    this.#quantization = quantization;
    this.#rename = rename;
  }

  under(prefix: string): WeightsUnder {
    return below(this, `${prefix}.`);
  }

  has(name: string): boolean {
    const { tensors } = this.#checkpoint;
    return tensors.has(name) || tensors.has(this.#rename(name));
  }

  /**
   * A matrix `[O, D]`; of more dimensions, all after the first make its rows.
   *
   * @param name of several, stacked by rows
   * @throws Error for a name that there is not, TypeError where shapes or types don't fit
   */
  matrix(name: string | readonly string[]): Weight {
    const names = [name].flat();
    const key = names.join(" ");
    let weight = this.#matrices.get(key);
    if (!weight) {
      weight = this.#recordMatrix(names);
      this.#matrices.set(key, weight);
    }
    return weight;
  }

  /**
   * A tensor in f32, of its own shape.
   *
   * @param name of several, concatenated to one vector
   * @throws Error for a name that there is not, TypeError for integers
   */
  vector(name: string | readonly string[]): Tensor {
    const names = [name].flat();
    const key = names.join(" ");
    let tensor = this.#vectors.get(key);
    if (!tensor) {
      tensor = this.#recordVector(names);
      this.#vectors.set(key, tensor);
    }
    return tensor;
  }

  /**
   * Fills all that was asked for; resolves when everything is on the GPU. Nothing new can be asked
   * for from then on. After a failure it can be called again.
   *
   * @throws DeviceLostError, the signal's reason, or what `checkpoint.stream` throws
   */
  async load(checkpoint: Pick<Checkpoint, "stream">, options: UploadOptions = {}): Promise<void> {
    if (this.#closed) throw new Error(`load: the weights of ${this.#checkpoint.id} were loaded`);
    this.#closed = true;
    try {
      await upload(this.#gpu, checkpoint, this.#wanted, options);
    } catch (error) {
      this.#closed = false;
      throw error;
    } finally {
      releaseStaging(this.#gpu);
    }
  }

  /** Bytes on the GPU of all that was asked for, by name; names that were stacked have a space between. */
  get bytes(): ReadonlyMap<string, number> {
    const matrices = [...this.#matrices].map(([name, w]) => [name, weightBytes(w)] as const);
    const vectors = [...this.#vectors].map(([name, v]) => [name, bufferOf(v).size] as const);
    return new Map([...matrices, ...vectors]);
  }

  /** Frees all of them. */
  dispose(): void {
    this.#closed = true;
    const parts = [...this.#matrices.values()].flatMap(({ slices }) =>
      slices.flatMap((s) => s.parts),
    );
    for (const tensor of [...parts, ...this.#vectors.values()]) this.#gpu.release(bufferOf(tensor));
    this.#matrices.clear();
    this.#vectors.clear();
  }

  #recordMatrix(names: readonly string[]): Weight {
    const found = names.map((name) => this.#find(name));
    const { name, info, dtype } = found[0] as Found;
    const D = elementCount(info.shape.slice(1));
    const shapes = found.map(({ name, info }) => `${name} [${info.shape}]`).join(", ");
    if (found.some(({ info: { shape } }) => shape.length < 2)) {
      throw new TypeError(`matrix: ${shapes}, expected two dimensions or more`);
    }
    if (found.some(({ info: { shape } }) => elementCount(shape.slice(1)) !== D)) {
      throw new TypeError(`matrix: rows of different lengths can't be stacked: ${shapes}`);
    }
    const format = chooseFormat({
      quantization: this.#quantization,
      dtype: found.every((other) => other.dtype === dtype) ? dtype : "F32",
      D,
      checkpointBytes: this.#checkpoint.weightBytes,
      name,
    });
    const rows = found.map(({ info }) => info.shape[0] as number);
    const weight = allocateWeight(this.#gpu, names.join(" "), sum(rows), D, format);
    found.forEach(({ name, info, dtype }, i) => {
      const offset = sum(rows.slice(0, i));
      const write: WriteRows = (first, count, bytes) =>
        writeWeightRows(this.#gpu, weight, offset + first, count, bytes, dtype);
      this.#wanted.push({ name, info, rows: rows[i] as number, write });
    });
    return weight;
  }

  #recordVector(names: readonly string[]): Tensor {
    const found = names.map((name) => this.#find(name));
    const counts = found.map(({ info }) => elementCount(info.shape));
    const shape = (found.length === 1 && found[0]?.info.shape) || [sum(counts)];
    const tensor = this.#gpu.tensor(names.join(" "), shape);
    found.forEach(({ name, info, dtype }, i) => {
      const offset = sum(counts.slice(0, i));
      const write: WriteRows = (first, _, bytes) =>
        this.#gpu.write(tensor, toFloat32(bytes, dtype), offset + first);
      this.#wanted.push({ name, info, rows: counts[i] as number, write });
    });
    return tensor;
  }

  #find(asked: string): Found {
    const { id, tensors } = this.#checkpoint;
    if (this.#closed)
      throw new Error(`${asked} is asked for after the weights of ${id} were loaded`);
    const name = tensors.has(asked) ? asked : this.#rename(asked);
    const info = tensors.get(name);
    if (!info) {
      const near = suggestNames(asked, [...tensors.keys()]).join(", ");
      throw new Error(`${id} has no tensor ${asked}; closest are: ${near || "none"}`);
    }
    if (!SOURCE_TYPES.includes(info.dtype)) {
      throw new TypeError(`${name} is ${info.dtype}, expected F32, F16 or BF16`);
    }
    return { name, info, dtype: info.dtype as SourceType };
  }
}

function below(weights: WeightsUnder, prefix: string): WeightsUnder {
  const full = (name: string | readonly string[]) => [name].flat().map((n) => prefix + n);
  return {
    under: (inner) => below(weights, `${prefix}${inner}.`),
    has: (name) => weights.has(prefix + name),
    matrix: (name) => weights.matrix(full(name)),
    vector: (name) => weights.vector(full(name)),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
