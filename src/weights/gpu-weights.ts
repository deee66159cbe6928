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
import type { ModelPart, TensorNames, WeightRole, Weights } from "./weights.ts";
import { type SourceType, releaseStaging, writeWeightRows } from "./write.ts";

export type { Quantization };

export interface GpuWeightsOptions {
  readonly quantization?: Quantization;
  /** The checkpoint's name of a tensor that it doesn't have under the name asked for. */
  readonly rename?: (name: string) => string;
}

const SOURCE_TYPES: readonly string[] = ["F32", "F16", "BF16"] satisfies SourceType[];

/** A tensor that was asked for and that there is. */
interface Found {
  readonly name: string;
  readonly info: TensorInfo;
  readonly dtype: SourceType;
}

/** What a tensor of the checkpoint, or several in one, takes on the GPU. */
export interface AllocatedTensor {
  /** As the model asked for them. */
  readonly names: readonly string[];
  readonly part: ModelPart;
  /** Undefined for a vector. */
  readonly role: WeightRole | undefined;
  readonly bytes: number;
}

interface RecordedMatrix {
  readonly weight: Weight;
  readonly part: ModelPart;
  readonly role: WeightRole;
}

interface RecordedVector {
  readonly tensor: Tensor;
  readonly part: ModelPart;
}

/**
 * A checkpoint's tensors on the GPU. A model asks for them while it is recorded, which makes room
 * for them; `load` then fills them all in one pass over the files. The same names always give the
 * same object.
 */
export class GpuWeights implements Weights {
  readonly #gpu: Gpu;
  readonly #checkpoint: Pick<Checkpoint, "id" | "tensors" | "weightBytes">;
  readonly #quantization: Quantization;
  readonly #rename: (name: string) => string;
  readonly #matrices = new Map<string, RecordedMatrix>();
  readonly #vectors = new Map<string, RecordedVector>();
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

  under(prefix: string): Weights {
    return this.#scope(`${prefix}.`, "text");
  }

  part(part: ModelPart): Weights {
    return this.#scope("", part);
  }

  has(name: string): boolean {
    const { tensors } = this.#checkpoint;
    return tensors.has(name) || tensors.has(this.#rename(name));
  }

  matrix(names: TensorNames): Weight {
    return this.#matrix([names].flat(), "text", "layer");
  }

  embedding(names: TensorNames): Weight {
    return this.#matrix([names].flat(), "text", "embedding");
  }

  head(names: TensorNames): Weight {
    return this.#matrix([names].flat(), "text", "head");
  }

  vector(names: TensorNames): Tensor {
    return this.#vector([names].flat(), "text");
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

  /** Every matrix and vector that was asked for, in that order within its kind. */
  get allocated(): readonly AllocatedTensor[] {
    const matrices = [...this.#matrices].map(([names, { weight, part, role }]) => {
      return { names: names.split(" "), part, role, bytes: weightBytes(weight) };
    });
    const vectors = [...this.#vectors].map(([names, { tensor, part }]) => {
      return { names: names.split(" "), part, role: undefined, bytes: bufferOf(tensor).size };
    });
    return [...matrices, ...vectors];
  }

  /** Frees all of them. */
  dispose(): void {
    this.#closed = true;
    const matrices = [...this.#matrices.values()].flatMap(({ weight }) => weight.slices);
    const vectors = [...this.#vectors.values()].map(({ tensor }) => tensor);
    for (const tensor of [...matrices.flatMap(({ parts }) => parts), ...vectors]) {
      this.#gpu.release(bufferOf(tensor));
    }
    this.#matrices.clear();
    this.#vectors.clear();
  }

  /** The same weights below a prefix, counted as a part of the model. */
  #scope(prefix: string, part: ModelPart): Weights {
    const full = (names: TensorNames) => [names].flat().map((name) => prefix + name);
    return {
      under: (inner) => this.#scope(`${prefix}${inner}.`, part),
      part: (other) => this.#scope(prefix, other),
      has: (name) => this.has(prefix + name),
      matrix: (names) => this.#matrix(full(names), part, "layer"),
      embedding: (names) => this.#matrix(full(names), part, "embedding"),
      head: (names) => this.#matrix(full(names), part, "head"),
      vector: (names) => this.#vector(full(names), part),
    };
  }

  #matrix(names: readonly string[], part: ModelPart, role: WeightRole): Weight {
    const key = names.join(" ");
    let recorded = this.#matrices.get(key);
    if (!recorded) {
      recorded = { weight: this.#recordMatrix(names, role), part, role };
      this.#matrices.set(key, recorded);
    }
    return recorded.weight;
  }

  #vector(names: readonly string[], part: ModelPart): Tensor {
    const key = names.join(" ");
    let recorded = this.#vectors.get(key);
    if (!recorded) {
      recorded = { tensor: this.#recordVector(names), part };
      this.#vectors.set(key, recorded);
    }
    return recorded.tensor;
  }

  #recordMatrix(names: readonly string[], role: WeightRole): Weight {
    const found = names.map((name) => this.#find(name));
    const { info, dtype } = found[0] as Found;
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
      role,
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

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
