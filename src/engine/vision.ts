import type { Gpu } from "../gpu/device.ts";
import { Graph } from "../gpu/graph.ts";
import type { Plan } from "../gpu/plan.ts";
import { ELEMENT_BYTES, type Tensor, bufferOf } from "../gpu/tensor.ts";
import type {
  ImagePacking,
  ImageLayout,
  Model,
  PatchSource,
  Tile,
  VisionPass,
  VisionTable,
  Weights,
} from "../models/model.ts";
import { NOWHERE } from "../ops/row.ts";
import { scatterRows } from "../ops/scatter-rows.ts";

/** About as many patches as keep a GPU busy in one pass. */
const PATCHES_PER_PASS = 1024;

interface Recorded {
  readonly tables: Readonly<Record<string, Tensor>>;
  readonly plan: Plan;
}

interface RecordedPass extends Recorded {
  /** `[P, channels * frames * patchSize²]` */
  readonly patches: Tensor;
  /** `[rows]` rows of the image states that the pass's own go to, where they are not assembled first. */
  readonly places: Tensor | undefined;
  /** Each `[P / patchesPerRow, D]`, where they are assembled first. */
  readonly states: readonly Tensor[];
}

/** The first `count` rows of a tensor, on their way to rows `first ...` of another. */
interface RowCopy {
  readonly from: Tensor;
  readonly to: Tensor;
  readonly first: number;
  readonly count: number;
}

/** Told each pass after it has been submitted. */
type OnPass = (plan: Plan, firstTile: number) => Promise<void>;

/** The vision side of a model: patches in, image states out. */
export class Vision {
  readonly #gpu: Gpu;
  readonly #model: Model;
  readonly #weights: Weights;
  readonly #images: readonly Tensor[];
  readonly #captures: boolean;
  /** By number of patches. */
  readonly #passes = new Map<number, Promise<RecordedPass>>();
  /** Passes run so far. */
  steps = 0;

  /** @param images image states, each `[N, D]`: what `encode` writes */
  constructor(
    gpu: Gpu,
    model: Model,
    weights: Weights,
    images: readonly Tensor[],
    captures = false,
  ) {
    this.#gpu = gpu;
    this.#model = model;
    this.#weights = weights.part("vision");
    this.#images = images;
    this.#captures = captures;
  }

  /** Records one pass and assembly, so that their weights are known before they are loaded. */
  async prepare(): Promise<void> {
    const { processor, packing } = this.#model;
    const layout = processor.layout(512, 512, "low");
    const rows = packing ? this.#tileRows(layout) : [];
    const places = new Uint32Array(layout.tokenCount);
    // Both are recorded before anything is awaited.
    const [, assembled] = await Promise.all([
      this.#record(this.#model.visionPass(layout, 1)),
      packing && this.#recordAssembly(packing, layout, rows, places),
    ]);
    this.#release(assembled, rows);
  }

  /**
   * Runs the tower over an image and writes its states.
   * Waits for the pass before the last one, so that an abort stops the GPU within two passes.
   *
   * @param places rows of the image states, for each of the image's
   * @throws the signal's reason when it aborts
   */
  async encode(
    source: PatchSource,
    layout: ImageLayout,
    places: Uint32Array,
    signal?: AbortSignal,
    onPass?: OnPass,
  ): Promise<void> {
    const { packing } = this.#model;
    if (!packing) return this.#runPasses(source, layout, places, signal, onPass);
    const rows = this.#tileRows(layout);
    let assembled: Recorded | undefined;
    try {
      await this.#runPasses(source, layout, rows, signal, onPass);
      assembled = await this.#recordAssembly(packing, layout, rows, places);
      this.#submit(assembled.plan);
    } finally {
      this.#release(assembled, rows);
    }
  }

  /** @param into places of an image's rows, or what is assembled, each `[rows, D]` */
  async #runPasses(
    source: PatchSource,
    layout: ImageLayout,
    into: Uint32Array | readonly Tensor[],
    signal?: AbortSignal,
    onPass?: OnPass,
  ): Promise<void> {
    const all = patchesOf(layout.tiles, layout);
    let seen = 0; // patches
    let before: Promise<undefined> | undefined;
    for (let tile = 0; tile < source.tiles;) {
      const { grid, alike } = tilesAlike(layout, tile);
      const tiles = passTiles(Math.min(alike, source.tiles - tile), grid[0] * grid[1]);
      const patches = tiles * grid[0] * grid[1];
      const wanted = this.#model.visionPass({ ...layout, grid }, tiles);
      const pass = await this.#record(wanted);
      await before;
      signal?.throwIfAborted();
      for (const [name, { data }] of Object.entries(wanted.tables)) {
        this.#gpu.write(pass.tables[name] as Tensor, data);
      }
      source.write(tile, tiles, pass.patches);
      if (into instanceof Uint32Array) {
        const rowsOf = (patches: number): number => (patches * into.length) / all;
        this.#writePlaces(pass, into.subarray(rowsOf(seen), rowsOf(seen + patches)));
        this.#submit(pass.plan);
      } else {
        const { patchesPerRow } = this.#model;
        const rows = { first: seen / patchesPerRow, count: patches / patchesPerRow };
        this.#submit(
          pass.plan,
          into.map((to, i) => ({ ...rows, from: pass.states[i] as Tensor, to })),
        );
      }
      await onPass?.(pass.plan, tile);
      before = this.#gpu.device.queue.onSubmittedWorkDone();
      tile += tiles;
      seen += patches;
    }
  }

  /** Rows that the pass has room for beyond those of its tiles go nowhere. */
  #writePlaces({ places }: RecordedPass, of: Uint32Array): void {
    if (!places) return;
    const all = new Uint32Array(places.shape[0] as number).fill(NOWHERE);
    all.set(of);
    this.#gpu.write(places, all);
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

  /** Room for what the passes over an image leave, each `[tiles * P / patchesPerRow, D]`. */
  #tileRows(layout: ImageLayout): Tensor[] {
    const { patchesPerRow, imageStates, text } = this.#model;
    const rows = patchesOf(layout.tiles, layout) / patchesPerRow;
    return Array.from({ length: imageStates }, (_, i) =>
      this.#gpu.tensor(`tile rows ${i}`, [rows, text.hidden_size]),
    );
  }

  /** Recorded for each image anew: its sizes are the image's, and it has few dispatches. */
  async #recordAssembly(
    assembly: ImagePacking,
    layout: ImageLayout,
    rows: readonly Tensor[],
    places: Uint32Array,
  ): Promise<Recorded> {
    const g = new Graph(this.#gpu);
    const own = this.#upload(assembly.tables(layout));
    const placed = this.#gpu.tensor("places", [places.length], "u32", places);
    rows.forEach((state, i) => {
      const assembled = assembly.record(g, this.#weights, state, own); // [N, D]
      scatterRows(g, assembled, placed, this.#images[i] as Tensor);
    });
    const tables = { ...own, places: placed };
    return { tables, plan: await g.compile("assembly of image rows") };
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
    const { processor, packing } = this.#model;
    const { mean, frames, patchSize } = processor;
    const patches = this.#gpu.tensor("patches", [P, mean.length * frames * patchSize ** 2]);
    const tables = this.#upload(wanted);
    const g = new Graph(this.#gpu, { captures: this.#captures });
    const states: Tensor[] = [];
    let places: Tensor | undefined;
    let next = 0;
    for (const state of this.#model.vision(g, this.#weights, patches, tables)) {
      if (packing) {
        states.push(g.keep(state));
      } else {
        places ??= this.#gpu.tensor("places", [state.shape[0] as number], "u32");
        scatterRows(g, state, places, this.#images[next++] as Tensor);
      }
    }
    const plan = await g.compile(`vision of ${P} patches`);
    return { patches, tables, places, states, plan };
  }
}

type Grid = ImageLayout["grid"];

function gridOf(tile: Tile | undefined, layout: ImageLayout): Grid {
  return tile?.grid ?? layout.grid;
}

function patchesOf(tiles: readonly Tile[], layout: ImageLayout): number {
  return tiles.reduce((sum, tile) => {
    const [height, width] = gridOf(tile, layout);
    return sum + height * width;
  }, 0);
}

/** The patches of a tile, and how many tiles from it on have the same. */
function tilesAlike(layout: ImageLayout, first: number): { grid: Grid; alike: number } {
  const [tile, ...others] = layout.tiles.slice(first);
  const grid = gridOf(tile, layout);
  const other = others.findIndex((next) => gridOf(next, layout).join() !== grid.join());
  return { grid, alike: other < 0 ? 1 + others.length : 1 + other };
}

/** The largest power of two of tiles that is there and not too much for one pass. */
function passTiles(left: number, tilePatches: number): number {
  const most = Math.max(1, Math.floor(PATCHES_PER_PASS / tilePatches));
  return 2 ** Math.floor(Math.log2(Math.min(left, most)));
}
