import type { Gpu } from "../gpu/device.ts";
import { Graph } from "../gpu/graph.ts";
import type { Plan } from "../gpu/plan.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import type {
  Assembly,
  ImageLayout,
  Model,
  PatchSource,
  VisionPass,
  VisionTable,
  Weights,
} from "../models/model.ts";

/** About as many patches as keep a GPU busy in one pass. */
const PATCHES_PER_PASS = 1024;

interface Recorded {
  readonly tables: Readonly<Record<string, Tensor>>;
  /** Each `[P / patchesPerRow, D]` of a pass, `[N, D]` of an assembly. */
  readonly states: readonly Tensor[];
  readonly plan: Plan;
}

interface RecordedPass extends Recorded {
  /** `[P, channels * frames * patchSize²]` */
  readonly patches: Tensor;
}

/** The vision side of a model: patches in, image states out. */
export class Vision {
  readonly #gpu: Gpu;
  readonly #model: Model;
  readonly #weights: Weights;
  readonly #taps: boolean;
  /** By number of patches. */
  readonly #passes = new Map<number, Promise<RecordedPass>>();
  /** Passes run so far. */
  steps = 0;

  constructor(gpu: Gpu, model: Model, weights: Weights, taps = false) {
    this.#gpu = gpu;
    this.#model = model;
    this.#weights = weights;
    this.#taps = taps;
  }

  /** Records one pass and assembly, so that their weights are known before they are loaded. */
  async prepare(): Promise<void> {
    const { processor, assembly } = this.#model;
    const layout = processor.layout(512, 512, "low");
    const rows = assembly ? this.#tileRows(layout) : [];
    // Both are recorded before anything is awaited.
    const [, assembled] = await Promise.all([
      this.#record(this.#model.visionPass(layout, 1)),
      assembly && this.#recordAssembly(assembly, layout, rows),
    ]);
    this.#release(assembled, rows);
  }

  /**
   * Runs the tower over a picture and writes its states to rows `firstRow ...` of `images`.
   * Waits for the pass before the last one, so that an abort stops the GPU within two passes.
   *
   * @param images each `[N, D]`
   * @param onPass told each pass after it has been submitted
   * @throws the signal's reason when it aborts
   */
  async encode(
    source: PatchSource,
    layout: ImageLayout,
    images: readonly Tensor[],
    firstRow: number,
    signal?: AbortSignal,
    onPass?: (plan: Plan, firstTile: number) => Promise<void>,
  ): Promise<void> {
    const { assembly } = this.#model;
    if (!assembly) return this.#runPasses(source, layout, images, firstRow, signal, onPass);
    const rows = this.#tileRows(layout);
    let assembled: Recorded | undefined;
    try {
      await this.#runPasses(source, layout, rows, 0, signal, onPass);
      assembled = await this.#recordAssembly(assembly, layout, rows);
      this.#submit(assembled, images, firstRow, layout.tokenCount);
    } finally {
      this.#release(assembled, rows);
    }
  }

  async #runPasses(
    source: PatchSource,
    layout: ImageLayout,
    images: readonly Tensor[],
    firstRow: number,
    signal?: AbortSignal,
    onPass?: (plan: Plan, firstTile: number) => Promise<void>,
  ): Promise<void> {
    const tilePatches = layout.grid[0] * layout.grid[1];
    const tileRows = tilePatches / this.#model.patchesPerRow;
    let before: Promise<undefined> | undefined;
    for (let tile = 0; tile < source.tiles;) {
      const tiles = passTiles(source.tiles - tile, tilePatches);
      const wanted = this.#model.visionPass(layout, tiles);
      const pass = await this.#record(wanted);
      await before;
      signal?.throwIfAborted();
      for (const [name, { data }] of Object.entries(wanted.tables)) {
        this.#gpu.write(pass.tables[name] as Tensor, data);
      }
      source.write(tile, tiles, pass.patches);
      this.#submit(pass, images, firstRow + tile * tileRows, tiles * tileRows);
      await onPass?.(pass.plan, tile);
      before = this.#gpu.device.queue.onSubmittedWorkDone();
      tile += tiles;
    }
  }

  #submit(
    { plan, states }: Recorded,
    images: readonly Tensor[],
    firstRow: number,
    rows: number,
  ): void {
    const encoder = this.#gpu.device.createCommandEncoder({ label: "vision" });
    const compute = encoder.beginComputePass();
    plan.encode(compute);
    compute.end();
    states.forEach((state, i) => {
      const rowBytes = (state.shape[1] as number) * 4;
      const into = bufferOf(images[i] as Tensor);
      encoder.copyBufferToBuffer(bufferOf(state), 0, into, firstRow * rowBytes, rows * rowBytes);
    });
    this.#gpu.device.queue.submit([encoder.finish()]);
    this.steps++;
  }

  /** Room for what the passes over a picture leave, each `[tiles * P / patchesPerRow, D]`. */
  #tileRows({ tiles, grid }: ImageLayout): Tensor[] {
    const { patchesPerRow, imageStates, text } = this.#model;
    const rows = (tiles.length * grid[0] * grid[1]) / patchesPerRow;
    return Array.from({ length: imageStates }, (_, i) =>
      this.#gpu.tensor(`tile rows ${i}`, [rows, text.hidden_size]),
    );
  }

  /** Recorded for each picture anew: its sizes are the picture's, and it has few dispatches. */
  async #recordAssembly(
    assembly: Assembly,
    layout: ImageLayout,
    rows: readonly Tensor[],
  ): Promise<Recorded> {
    const g = new Graph(this.#gpu);
    const tables = this.#upload(assembly.tables(layout));
    const states = rows.map((state) => g.keep(assembly.record(g, this.#weights, state, tables)));
    return { tables, states, plan: await g.compile("assembly of image rows") };
  }

  #release(assembled: Recorded | undefined, rows: readonly Tensor[]): void {
    const tables = Object.values(assembled?.tables ?? {});
    for (const tensor of [...tables, ...rows]) this.#gpu.release(bufferOf(tensor));
    assembled?.plan.dispose();
  }

  #upload(tables: Readonly<Record<string, VisionTable>>): Record<string, Tensor> {
    const entries = Object.entries(tables).map(([name, { shape, data }]) => {
      const dtype = data instanceof Uint32Array ? "u32" : "f32";
      return [name, this.#gpu.tensor(name, shape, dtype, data)];
    });
    return Object.fromEntries(entries) as Record<string, Tensor>;
  }

  #record(wanted: VisionPass): Promise<RecordedPass> {
    let pass = this.#passes.get(wanted.P);
    if (!pass) {
      pass = this.#recordPass(wanted);
      this.#passes.set(wanted.P, pass);
    }
    return pass;
  }

  async #recordPass({ P, tables: wanted }: VisionPass): Promise<RecordedPass> {
    const { mean, frames, patchSize } = this.#model.processor;
    const patches = this.#gpu.tensor("patches", [P, mean.length * frames * patchSize ** 2]);
    const tables = this.#upload(wanted);
    const g = new Graph(this.#gpu, { taps: this.#taps });
    const states = this.#model.vision(g, this.#weights, patches, tables);
    for (const state of states) g.keep(state);
    return { patches, tables, states, plan: await g.compile(`vision of ${P} patches`) };
  }
}

/** The largest power of two of tiles that is there and not too much for one pass. */
function passTiles(left: number, tilePatches: number): number {
  const most = Math.max(1, Math.floor(PATCHES_PER_PASS / tilePatches));
  return 2 ** Math.floor(Math.log2(Math.min(left, most)));
}
