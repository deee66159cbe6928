import type { Gpu } from "../gpu/device.ts";
import { Graph } from "../gpu/graph.ts";
import type { Plan } from "../gpu/plan.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import type { ImageLayout, Model, PatchSource, VisionPass, Weights } from "../models/model.ts";

/** About as many patches as keep a GPU busy in one pass. */
const PATCHES_PER_PASS = 1024;

interface RecordedPass {
  /** `[P, channels * frames * patchSize²]` */
  readonly patches: Tensor;
  readonly tables: Readonly<Record<string, Tensor>>;
  /** Each `[P / patchesPerRow, D]` */
  readonly states: readonly Tensor[];
  readonly plan: Plan;
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

  /** Records one pass, so that its weights are known before they are loaded. */
  async prepare(): Promise<void> {
    const layout = this.#model.processor.layout(512, 512, "low");
    await this.#record(this.#model.visionPass(layout, 1));
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

  #submit(pass: RecordedPass, images: readonly Tensor[], firstRow: number, rows: number): void {
    const encoder = this.#gpu.device.createCommandEncoder({ label: "vision" });
    const compute = encoder.beginComputePass();
    pass.plan.encode(compute);
    compute.end();
    pass.states.forEach((state, i) => {
      const rowBytes = (state.shape[1] as number) * 4;
      const into = bufferOf(images[i] as Tensor);
      encoder.copyBufferToBuffer(bufferOf(state), 0, into, firstRow * rowBytes, rows * rowBytes);
    });
    this.#gpu.device.queue.submit([encoder.finish()]);
    this.steps++;
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
    const tables: Record<string, Tensor> = {};
    for (const [name, { shape, data }] of Object.entries(wanted)) {
      const dtype = data instanceof Uint32Array ? "u32" : "f32";
      tables[name] = this.#gpu.tensor(name, shape, dtype, data);
    }
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
