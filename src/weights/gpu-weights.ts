import type { Gpu } from "../gpu/device.ts";
import { type Tensor, bufferOf, elementCount } from "../gpu/tensor.ts";
import { stackRows, tensorsOf, type Weight, weightBytes } from "../gpu/weight.ts";
import { allocateWeight } from "./allocate-weight.ts";
import type { Checkpoint } from "./checkpoint.ts";
import {
  type Quantization,
  chooseFormat,
  isHeadTied,
  layerCounter,
  widestLevel,
} from "./choose-format.ts";
import { type Fill, matrixFill, vectorFill } from "./fill.ts";
import {
  findMatrix,
  findVector,
  hasTensor,
  type NamedTensors,
  stackedParts,
  type StoredVector,
} from "./find-tensors.ts";
import { hasRows, type StoredMatrix, type WeightFormat } from "./format.ts";
import { f32 } from "./formats/f32.ts";
import { type LoadTensorsOptions, loadTensors } from "./load-tensors.ts";
import { DamagedBundleError } from "./packed-store.ts";
import { NO_BYTES } from "./progress.ts";
import { storePacked } from "./store-packed.ts";
import { WeightWriter } from "./weight-writer.ts";
import type { ModelPart, TensorNames, WeightRole, Weights } from "./weights.ts";

export interface GpuWeightsOptions {
  /** Default and "auto": its widest level for the checkpoint's size. */
  readonly quantization?: Quantization | "auto" | undefined;
  /** The names that a tensor may have in a checkpoint, by the model's name. Default: that one alone. */
  readonly storedNames?: ((name: string) => readonly string[]) | undefined;
}

/** A matrix or vector that a model asked for. */
export interface AllocatedTensor {
  /** The checkpoint's tensors that fill it, by their names in the files. */
  readonly tensors: readonly string[];
  /** Weights that each of them stands for: 0 for scales and the like. */
  readonly parameters: readonly number[];
  /** As the model first asked for it. */
  readonly part: ModelPart;
  /** Undefined for a vector. */
  readonly role: WeightRole | undefined;
  /** Bytes on the GPU. */
  readonly bytes: number;
}

interface Recorded<T> extends Omit<AllocatedTensor, "bytes"> {
  readonly value: T;
}

type Filled<T> = Pick<Recorded<T>, "value" | "tensors" | "parameters">;

/**
 * A checkpoint's tensors on the GPU. They are allocated when a model, while it is recorded, asks for
 * them. `load` then fills all of them in one pass over the files.
 */
export class GpuWeights implements Weights {
  readonly #gpu: Gpu;
  readonly #checkpoint: NamedTensors["checkpoint"] & Pick<Checkpoint, "weightBytes">;
  readonly #tensors: NamedTensors;
  readonly #quantization: Quantization;
  /** The layers of the stack that a tensor is in. */
  readonly #layersOf: (name: string) => number;
  readonly #isTied: boolean;
  readonly #matrices = new Map<string, Recorded<Weight>>();
  readonly #vectors = new Map<string, Recorded<Tensor>>();
  /** What fills each matrix and vector. */
  readonly #fills: Fill[] = [];
  #closed = false;

  constructor(
    gpu: Gpu,
    checkpoint: NamedTensors["checkpoint"] & Pick<Checkpoint, "weightBytes">,
    { quantization = "auto", storedNames = (name) => [name] }: GpuWeightsOptions = {},
  ) {
    this.#gpu = gpu;
    this.#checkpoint = checkpoint;
    const all = [...checkpoint.tensors.keys()];
    this.#layersOf = layerCounter(all);
    this.#isTied = isHeadTied(all);
    this.#tensors = { checkpoint, storedNames };
    this.#quantization =
      quantization === "auto" ? { auto: widestLevel(checkpoint.weightBytes) } : quantization;
  }

  under(prefix: string): Weights {
    return this.#scope(`${prefix}.`, "text");
  }

  part(part: ModelPart): Weights {
    return this.#scope("", part);
  }

  has(name: string): boolean {
    return hasTensor(this.#tensors, name);
  }

  matrix(names: TensorNames, D?: number): Weight {
    return this.#matrix([names].flat(), "text", "layer", D);
  }

  embedding(names: TensorNames, cut?: number): Weight {
    return this.#matrix([names].flat(), "text", "embedding", undefined, cut);
  }

  head(names: TensorNames): Weight {
    return this.#matrix([names].flat(), "text", "head");
  }

  vector(names: TensorNames): Tensor {
    return this.#vector([names].flat(), "text");
  }

  /**
   * Fills all matrices and vectors in one pass over the files, and over what is stored in packed form;
   * resolves when the GPU has them. New ones can't be asked for from then on. It can be called again after
   * a failure.
   *
   * @throws DeviceLostError, the signal's reason, or what `checkpoint.stream` throws
   */
  async load(
    checkpoint: Pick<Checkpoint, "stream" | "storing" | "packed">,
    options: LoadTensorsOptions = {},
  ): Promise<void> {
    if (this.#closed) throw new Error(`load: the weights of ${this.#checkpoint.id} were loaded`);
    this.#closed = true;
    const { signal, onProgress } = options;
    const onWait = (wait?: object) => wait && onProgress?.({ ...NO_BYTES, stage: "waiting" });
    // Whoever stores these weights packed deletes what this would read. Without a lock, it is fetched again.
    const unlock = await checkpoint.packed
      ?.lock({ shared: true, signal, onWait })
      .catch(() => undefined);
    const writer = new WeightWriter(this.#gpu);
    try {
      signal?.throwIfAborted();
      await this.#fill(checkpoint, writer, options);
      await writer.finish();
      signal?.throwIfAborted();
    } catch (error) {
      this.#closed = false;
      throw error;
    } finally {
      unlock?.();
      writer.dispose();
    }
  }

  async #fill(
    checkpoint: Pick<Checkpoint, "stream" | "storing" | "packed">,
    writer: WeightWriter,
    options: LoadTensorsOptions,
    damaged: ReadonlySet<string> = new Set(),
  ): Promise<void> {
    const { packed } = checkpoint;
    const keys = this.#fills.map((fill) => fill.packed.key);
    const kept = await packed?.find(new Set(keys));
    const wanted = this.#fills.flatMap((fill) => {
      const parts = kept?.parts.get(fill.packed.key);
      return parts?.every(({ file }) => !damaged.has(file))
        ? fill.packed.fromParts(parts, writer)
        : fill.fromCheckpoint(writer);
    });
    const storedAs = kept?.otherFormats;
    try {
      await loadTensors(checkpoint, wanted, { ...options, storedAs });
    } catch (error) {
      if (!(error instanceof DamagedBundleError)) throw error;
      // Its tensors are packed again, from the checkpoint.
      await packed?.drop((bundle) => bundle === error.bundle);
      await this.#fill(checkpoint, writer, options, new Set([...damaged, error.bundle]));
    }
  }

  /** What fills the matrices and vectors. */
  get fills(): readonly Fill[] {
    return this.#fills;
  }

  /**
   * Stores what was loaded as it lies on the GPU, and deletes the stored files of the checkpoint that are
   * not needed any more.
   */
  store(checkpoint: Pick<Checkpoint, "packed">, signal: AbortSignal): Promise<void> {
    return storePacked(this.#gpu, this.#fills, checkpoint.packed, signal);
  }

  /** Every matrix and vector that was asked for, in that order within its kind. */
  get allocated(): readonly AllocatedTensor[] {
    const matrices = [...this.#matrices.values()].map(({ value, ...recorded }) => {
      return { ...recorded, bytes: weightBytes(value) };
    });
    const vectors = [...this.#vectors.values()].map(({ value, ...recorded }) => {
      return { ...recorded, bytes: bufferOf(value).size };
    });
    return [...matrices, ...vectors];
  }

  /** The buffers of all matrices and vectors. */
  get buffers(): readonly GPUBuffer[] {
    const matrices = [...this.#matrices.values()].flatMap(({ value }) => [...tensorsOf(value)]);
    const vectors = [...this.#vectors.values()].map(({ value }) => value);
    return [...matrices, ...vectors].map(bufferOf);
  }

  /** Frees all matrices and vectors. */
  dispose(): void {
    this.#closed = true;
    for (const buffer of this.buffers) this.#gpu.release(buffer);
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
      matrix: (names, D) => this.#matrix(full(names), part, "layer", D),
      embedding: (names, cut) => this.#matrix(full(names), part, "embedding", undefined, cut),
      head: (names) => this.#matrix(full(names), part, "head"),
      vector: (names) => this.#vector(full(names), part),
    };
  }

  #matrix(
    names: readonly string[],
    part: ModelPart,
    role: WeightRole,
    D?: number,
    cut?: number,
  ): Weight {
    const key = names.join(" ");
    let recorded = this.#matrices.get(key);
    if (!recorded) {
      recorded = { ...this.#recordMatrix(names, part, role, D, cut), part, role };
      this.#matrices.set(key, recorded);
    }
    return recorded.value;
  }

  #vector(names: readonly string[], part: ModelPart): Tensor {
    const key = names.join(" ");
    let recorded = this.#vectors.get(key);
    if (!recorded) {
      recorded = { ...this.#recordVector(names), part, role: undefined };
      this.#vectors.set(key, recorded);
    }
    return recorded.value;
  }

  #recordMatrix(
    names: readonly string[],
    part: ModelPart,
    role: WeightRole,
    inputWidth?: number,
    cut?: number,
  ): Filled<Weight> {
    this.#checkOpen(names);
    names = names.flatMap((name) => stackedParts(this.#tensors, name));
    const stored = names.map((name) => findMatrix(this.#tensors, name, inputWidth));
    const [
      {
        shape: [, D],
      },
    ] = stored as [StoredMatrix];
    if (stored.some(({ shape }) => shape[1] !== D)) {
      const shapes = stored.map(({ shape }, i) => `${names[i]} [${shape}]`).join(", ");
      throw new TypeError(`matrix: rows of different lengths can't be stacked: ${shapes}`);
    }
    const elements = new Set(stored.map(({ format }) => format).filter((one) => one.elements));
    const formats = stored.map(({ format, tensors: [tensor] }) => {
      const name = tensor?.name ?? "";
      const layers = this.#layersOf(name);
      const unified = format.elements && elements.size > 1 ? f32 : format;
      const info = { part, role, name, layers, isTied: this.#isTied, stored: unified, D, cut };
      return chooseFormat(this.#quantization, info);
    });
    const weights = runsOf(stored, formats).map(([begin, end]) =>
      this.#allocate(names.slice(begin, end), stored.slice(begin, end), formats[begin]!),
    );
    return {
      value: weights.length === 1 ? weights[0]! : stackRows(names.join(" "), weights),
      ...contentsOf(stored),
    };
  }

  /** Allocates a matrix in which stored ones are stacked, and notes what fills it. */
  #allocate(
    names: readonly string[],
    stored: readonly StoredMatrix[],
    format: WeightFormat,
  ): Weight {
    const rows = stored.map(({ shape: [O] }) => O);
    const shape = [sum(rows), stored[0]!.shape[1]] as const;
    const weight = allocateWeight(this.#gpu, names.join(" "), shape, format, {
      isReordered: stored[0]!.isReordered,
    });
    stored.forEach((matrix, i) => {
      this.#fills.push(matrixFill(names[i]!, weight, sum(rows.slice(0, i)), matrix));
    });
    return weight;
  }

  #recordVector(names: readonly string[]): Filled<Tensor> {
    this.#checkOpen(names);
    names = names.flatMap((name) => stackedParts(this.#tensors, name));
    const stored = names.map((name) => findVector(this.#tensors, name));
    const counts = stored.map(({ shape }) => elementCount(shape));
    const shape = (stored.length === 1 && stored[0]?.shape) || [sum(counts)];
    const tensor = this.#gpu.tensor(names.join(" "), shape);
    stored.forEach((vector, i) => {
      const offset = sum(counts.slice(0, i));
      this.#fills.push(vectorFill(names[i]!, this.#gpu, tensor, offset, vector));
    });
    return {
      value: tensor,
      ...contentsOf(stored),
    };
  }

  #checkOpen(names: readonly string[]): void {
    if (!this.#closed) return;
    throw new Error(
      `${names.join(", ")}: asked for after the weights of ${this.#checkpoint.id} were loaded`,
    );
  }
}

/** @returns the tensors of stored matrices or vectors, and the weights that each stands for */
function contentsOf(
  stored: readonly Pick<StoredVector, "shape" | "tensors">[],
): Pick<AllocatedTensor, "tensors" | "parameters"> {
  const all = stored.flatMap(({ shape, tensors }) =>
    tensors.map(({ name }, i) => [name, i === 0 ? elementCount(shape) : 0] as const),
  );
  return { tensors: all.map(([name]) => name), parameters: all.map(([, count]) => count) };
}

/** @returns the ranges `begin ..< end` of matrices that are stacked in one piece */
function runsOf(
  stored: readonly StoredMatrix[],
  formats: readonly WeightFormat[],
): [begin: number, end: number][] {
  const runs: [number, number][] = [];
  const isWhole = (i: number) => stored[i]!.isReordered || !hasRows(formats[i]!);
  formats.forEach((format, i) => {
    const last = runs.at(-1);
    if (last && formats[last[0]] === format && !isWhole(last[0]) && !isWhole(i)) last[1] = i + 1;
    else runs.push([i, i + 1]);
  });
  return runs;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
