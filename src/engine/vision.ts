import type { Gpu } from "../gpu/device.ts";
import { Graph } from "../gpu/graph.ts";
import type { Plan } from "../gpu/plan.ts";
import { ELEMENT_BYTES, type Tensor, bufferOf } from "../gpu/tensor.ts";
import type {
  ImageLayout,
  ImagePacking,
  ImageProcessor,
  Model,
  PatchSource,
  VisionPass,
  VisionTable,
  Weights,
} from "../models/model.ts";
import { NOWHERE } from "../ops/row.ts";
import { scatterRows } from "../ops/scatter-rows.ts";
import { patchCount, visionPasses } from "./vision-passes.ts";

/** A recorded plan and the tables that it reads. */
interface Recording {
  readonly tables: Readonly<Record<string, Tensor>>;
  readonly plan: Plan;
}

interface PassRecording extends Recording {
  /** `[P, channels * frames * patchSize²]` */
  readonly patches: Tensor;
  /** `[rows]`, the rows of the image states that the pass writes. Absent where rows are packed later. */
  readonly targets: Tensor | undefined;
  /** Each `[P / patchesPerRow, D]`, the pass's rows where they are packed later, otherwise none. */
  readonly states: readonly Tensor[];
}

/** Copies the first `count` rows of a tensor to the rows from `first` on of another. */
interface RowCopy {
  readonly from: Tensor;
  readonly to: Tensor;
  readonly first: number;
  readonly count: number;
}

/** Called after a vision pass has been submitted. */
export type OnPass = (plan: Plan, firstTile: number) => Promise<void>;

/** @returns the layout of an image of usual size, for what is prepared before any image is known */
export function typicalLayout(processor: ImageProcessor): ImageLayout {
  return processor.layout(512, 512, "low");
}

/** The vision side of a model: patches in, image states out. */
export class Vision {
  readonly #gpu: Gpu;
  readonly #model: Model;
  readonly #weights: Weights;
  readonly #imageStates: readonly Tensor[];
  readonly #captures: boolean;
  /** By number of patches. */
  readonly #passes = new Map<number, Promise<PassRecording>>();
  /** Passes and packings submitted so far. */
  steps = 0;

  /** @param imageStates each `[N, D]`; `encode` writes rows of them */
  constructor(
    gpu: Gpu,
    model: Model,
    weights: Weights,
    imageStates: readonly Tensor[],
    captures = false,
  ) {
    this.#gpu = gpu;
    this.#model = model;
    this.#weights = weights.part("vision");
    this.#imageStates = imageStates;
    this.#captures = captures;
  }

  /** Records one pass and one packing, so that the weights they need are known before loading. */
  async prepare(): Promise<void> {
    const { processor, packing } = this.#model;
    const layout = typicalLayout(processor);
    const tileRows = packing ? this.#tileRows(layout) : [];
    const targets = new Uint32Array(layout.tokenCount);
    // Both are recorded before anything is awaited.
    const [, packed] = await Promise.all([
      this.#record(this.#model.visionPass(layout, 1)),
      packing && this.#recordPacking(packing, layout, tileRows, targets),
    ]);
    this.#release(packed, tileRows);
  }

  /**
   * Encodes an image and writes its image states. Waits for each pass before it submits the next, so
   * that an abort stops the GPU within a pass.
   *
   * @param targets for each row of the image, the row of the image states that receives it
   * @throws the signal's reason when it aborts
   */
  async encode(
    source: PatchSource,
    layout: ImageLayout,
    targets: Uint32Array,
    signal?: AbortSignal,
    onPass?: OnPass,
  ): Promise<void> {
    const { packing } = this.#model;
    if (!packing) return this.#runPasses(source, layout, targets, signal, onPass);
    const tileRows = this.#tileRows(layout);
    let packed: Recording | undefined;
    try {
      await this.#runPasses(source, layout, tileRows, signal, onPass);
      packed = await this.#recordPacking(packing, layout, tileRows, targets);
      this.#submit(packed.plan);
    } finally {
      this.#release(packed, tileRows);
    }
  }

  /** @param into the target row of each image row, or one `[rows, D]` for each image state */
  async #runPasses(
    source: PatchSource,
    layout: ImageLayout,
    into: Uint32Array | readonly Tensor[],
    signal?: AbortSignal,
    onPass?: OnPass,
  ): Promise<void> {
    const allPatches = patchCount(layout);
    let donePatches = 0;
    let before: Promise<undefined> | undefined;
    for (const { first, tiles, grid } of visionPasses(layout, source.tiles)) {
      const patches = tiles * grid[0] * grid[1];
      const described = this.#model.visionPass({ ...layout, grid }, tiles);
      const pass = await this.#record(described);
      await before;
      signal?.throwIfAborted();
      for (const [name, { data }] of Object.entries(described.tables)) {
        this.#gpu.write(pass.tables[name] as Tensor, data);
      }
      source.write(first, tiles, pass.patches);
      if (into instanceof Uint32Array) {
        const rowsOf = (patches: number): number => (patches * into.length) / allPatches;
        this.#writeTargets(pass, into.subarray(rowsOf(donePatches), rowsOf(donePatches + patches)));
        this.#submit(pass.plan);
      } else {
        const { patchesPerRow } = this.#model;
        const rows = { first: donePatches / patchesPerRow, count: patches / patchesPerRow };
        this.#submit(
          pass.plan,
          into.map((to, i) => ({ ...rows, from: pass.states[i] as Tensor, to })),
        );
      }
      await onPass?.(pass.plan, first);
      before = this.#gpu.device.queue.onSubmittedWorkDone();
      donePatches += patches;
    }
  }

  /** A pass may have room for more rows than its tiles have; those are written nowhere. */
  #writeTargets({ targets }: PassRecording, rows: Uint32Array): void {
    if (!targets) return;
    const words = new Uint32Array(targets.shape[0] as number).fill(NOWHERE);
    words.set(rows);
    this.#gpu.write(targets, words);
  }

  #submit(plan: Plan, copies: readonly RowCopy[] = []): void {
    const encoder = this.#gpu.device.createCommandEncoder({ label: "vision" });
    const compute = encoder.beginComputePass();
    plan.encode(compute);
    compute.end();
    for (const { from, to, first, count } of copies) {
      const rowBytes = (from.shape[1] as number) * ELEMENT_BYTES;
      const [source, target] = [bufferOf(from), bufferOf(to)];
      encoder.copyBufferToBuffer(source, 0, target, first * rowBytes, count * rowBytes);
    }
    this.#gpu.device.queue.submit([encoder.finish()]);
    this.steps++;
  }

  /** Allocates room for the rows of all passes over an image, each `[patches / patchesPerRow, D]`. */
  #tileRows(layout: ImageLayout): Tensor[] {
    const { patchesPerRow, imageStates, text } = this.#model;
    const rows = patchCount(layout) / patchesPerRow;
    return Array.from({ length: imageStates }, (_, i) =>
      this.#gpu.tensor(`tile rows ${i}`, [rows, text.hidden_size]),
    );
  }

  /** Records the packing for one image: the shapes are the image's own, and the dispatches are few. */
  async #recordPacking(
    packing: ImagePacking,
    layout: ImageLayout,
    tileRows: readonly Tensor[],
    targets: Uint32Array,
  ): Promise<Recording> {
    const g = new Graph(this.#gpu);
    const packingTables = this.#upload(packing.tables(layout));
    const targetRows = this.#gpu.tensor("target rows", [targets.length], "u32", targets);
    tileRows.forEach((rows, i) => {
      const packed = packing.record(g, this.#weights, rows, packingTables); // [image rows, D]
      scatterRows(g, packed, targetRows, this.#imageStates[i] as Tensor);
    });
    const tables = { ...packingTables, targetRows };
    return { tables, plan: await g.compile("packing of image rows") };
  }

  #release(packed: Recording | undefined, tileRows: readonly Tensor[]): void {
    const tables = Object.values(packed?.tables ?? {});
    for (const tensor of [...tables, ...tileRows]) this.#gpu.release(bufferOf(tensor));
    packed?.plan.dispose();
  }

  #upload(tables: Readonly<Record<string, VisionTable>>): Record<string, Tensor> {
    const entries = Object.entries(tables).map(([name, { shape, data }]) => {
      const dtype = data instanceof Uint32Array ? "u32" : "f32";
      return [name, this.#gpu.tensor(name, shape, dtype, data)];
    });
    return Object.fromEntries(entries) as Record<string, Tensor>;
  }

  #record(pass: VisionPass): Promise<PassRecording> {
    let recording = this.#passes.get(pass.P);
    if (!recording) {
      recording = this.#recordPass(pass);
      this.#passes.set(pass.P, recording);
    }
    return recording;
  }

  async #recordPass({ P, tables: wanted }: VisionPass): Promise<PassRecording> {
    const { processor, packing } = this.#model;
    const { mean, frames, patchSize } = processor;
    const patches = this.#gpu.tensor("patches", [P, mean.length * frames * patchSize ** 2]);
    const tables = this.#upload(wanted);
    const g = new Graph(this.#gpu, { captures: this.#captures });
    const states: Tensor[] = [];
    let targets: Tensor | undefined;
    let next = 0;
    for (const state of this.#model.vision(g, this.#weights, patches, tables)) {
      if (packing) {
        states.push(g.keep(state));
      } else {
        targets ??= this.#gpu.tensor("target rows", [state.shape[0] as number], "u32");
        scatterRows(g, state, targets, this.#imageStates[next++] as Tensor);
      }
    }
    const plan = await g.compile(`vision of ${P} patches`);
    return { patches, tables, targets, states, plan };
  }
}
