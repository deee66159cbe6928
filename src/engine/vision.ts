import type { Gpu } from "../gpu/device.ts";
import { Graph } from "../gpu/graph.ts";
import type { Plan } from "../gpu/plan.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import type { Model, Weights } from "../models/model.ts";

/** Patches of one picture, tile after tile. */
export interface PatchSource {
  readonly tiles: number;
  /** Writes the patches of tiles `first .. first + count - 1` from the start of `into` on. */
  write(first: number, count: number, into: Tensor): void;
  release(): void;
}

/** About as many patches as keep a GPU busy in one pass. */
const PATCHES_PER_PASS = 1024;

interface VisionPass {
  readonly tiles: number;
  /** `[tiles * P, channels * patchSize²]` */
  readonly patches: Tensor;
  /** `[tiles * rowsPerTile, D]` */
  readonly rows: Tensor;
  readonly plan: Plan;
}

/** The vision side of a model: patches in, image embeddings out. */
export class Vision {
  readonly #gpu: Gpu;
  readonly #model: Model;
  readonly #weights: Weights;
  readonly #taps: boolean;
  readonly #passes = new Map<number, Promise<VisionPass>>();
  /** Passes run so far. */
  steps = 0;

  constructor(gpu: Gpu, model: Model, weights: Weights, taps = false) {
    this.#gpu = gpu;
    this.#model = model;
    this.#weights = weights;
    this.#taps = taps;
  }

  /** Records the pass for single tiles, so that its weights are known before they are loaded. */
  async prepare(): Promise<void> {
    await this.#pass(1);
  }

  /**
   * Runs the tower over a picture and writes its embeddings to rows `firstRow ...` of `images`.
   * Waits for the pass before the last one, so that an abort stops the GPU within two passes.
   *
   * @param images `[N, D]`
   * @param onPass told each pass after it has been submitted
   * @throws the signal's reason when it aborts
   */
  async encode(
    source: PatchSource,
    images: Tensor,
    firstRow: number,
    signal?: AbortSignal,
    onPass?: (plan: Plan, firstTile: number) => Promise<void>,
  ): Promise<void> {
    const rowBytes = (images.shape[1] as number) * 4;
    let before: Promise<undefined> | undefined;
    for (let tile = 0; tile < source.tiles;) {
      const pass = await this.#pass(this.#passTiles(source.tiles - tile));
      await before;
      signal?.throwIfAborted();
      source.write(tile, pass.tiles, pass.patches);
      const encoder = this.#gpu.device.createCommandEncoder({ label: "vision" });
      const compute = encoder.beginComputePass();
      pass.plan.encode(compute);
      compute.end();
      const rows = pass.tiles * this.#model.rowsPerTile;
      const first = firstRow + tile * this.#model.rowsPerTile;
      encoder.copyBufferToBuffer(
        bufferOf(pass.rows),
        0,
        bufferOf(images),
        first * rowBytes,
        rows * rowBytes,
      );
      this.#gpu.device.queue.submit([encoder.finish()]);
      this.steps++;
      await onPass?.(pass.plan, tile);
      before = this.#gpu.device.queue.onSubmittedWorkDone();
      tile += pass.tiles;
    }
  }

  /** The largest power of two of tiles that is there and not too much for one pass. */
  #passTiles(left: number): number {
    const most = Math.max(1, Math.floor(PATCHES_PER_PASS / this.#model.patchesPerTile));
    return 2 ** Math.floor(Math.log2(Math.min(left, most)));
  }

  #pass(tiles: number): Promise<VisionPass> {
    let pass = this.#passes.get(tiles);
    if (!pass) {
      pass = this.#record(tiles);
      this.#passes.set(tiles, pass);
    }
    return pass;
  }

  async #record(tiles: number): Promise<VisionPass> {
    const { patchesPerTile, processor } = this.#model;
    const values = processor.mean.length * processor.patchSize ** 2;
    const patches = this.#gpu.tensor("patches", [tiles * patchesPerTile, values]);
    const g = new Graph(this.#gpu, { taps: this.#taps });
    const rows = g.keep(this.#model.vision(g, this.#weights, patches, tiles));
    return { tiles, patches, rows, plan: await g.compile(`vision of ${tiles} tiles`) };
  }
}
