import type { Gpu } from "../gpu/device.ts";
import { bufferOf, byteSize, ELEMENT_BYTES } from "../gpu/tensor.ts";
import type { WeightSlice } from "../gpu/weight.ts";
import type { WritableWeight } from "./allocate-weight.ts";
import type { RowTarget, WeightFormat } from "./format.ts";

/** Bytes that are packed at a time: few enough for a grid of one dimension. */
const STAGING_BYTES = 16 << 20;
/** Bytes that may be in flight before the CPU waits for the GPU. */
const IN_FLIGHT_BYTES = 4 * STAGING_BYTES;
const LANES = 64;

/**
 * Writes rows to weights on the GPU. It owns the staging buffers, and bounds the bytes that the
 * GPU has not taken yet; `dispose` frees the buffers.
 *
 * A write resolves when its bytes may be reused. The work itself may still be queued, ahead of
 * whatever is submitted next.
 */
export class WeightWriter {
  readonly #gpu: Gpu;
  #source: GPUBuffer | undefined;
  /** First row and number of rows of a packing step. */
  #rows: GPUBuffer | undefined;
  #inFlightBytes = 0;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** @returns the rows of a weight from `firstRow` on */
  target(weight: WritableWeight, firstRow = 0): RowTarget {
    return {
      copy: (part, first, bytes) => this.copy(weight, part, firstRow + first, bytes),
      pack: (first, count, bytes, source) =>
        this.pack(weight, firstRow + first, count, bytes, source),
      orderColumns: (columns) => this.orderColumns(weight, columns),
    };
  }

  /**
   * Copies the bytes of whole rows to one part of a weight, from row `first` on.
   *
   * @throws RangeError when the rows are not the weight's, or `bytes` is not whole rows
   * @throws DeviceLostError
   */
  async copy(
    weight: WritableWeight,
    part: number,
    first: number,
    bytes: Uint8Array,
  ): Promise<void> {
    const { label, format, shape } = weight;
    const layout = format.parts[part];
    if (layout?.words) return this.#copyWhole(weight, part, bytes);
    const rowBytes = (layout?.rowWords?.(shape[1]) ?? NaN) * ELEMENT_BYTES;
    const count = bytes.byteLength / rowBytes;
    if (!Number.isInteger(count)) {
      throw new RangeError(
        `WeightWriter.copy: ${label}: ${bytes.byteLength} bytes, expected rows of ${rowBytes}`,
      );
    }
    checkRows("copy", weight, first, count);
    for (const piece of pieces(weight, first, count, rowBytes)) {
      const { slice, row } = piece;
      const rows = bytes.subarray(piece.begin, piece.end);
      this.#gpu.write(slice.parts[part]!, rows, (row * rowBytes) / ELEMENT_BYTES);
      await this.#throttle(rows.byteLength);
    }
  }

  /** Copies the bytes of a part that belongs to the whole matrix. */
  async #copyWhole(
    { label, slices }: WritableWeight,
    part: number,
    bytes: Uint8Array,
  ): Promise<void> {
    const tensor = slices[0]!.parts[part]!;
    if (bytes.byteLength !== byteSize(tensor)) {
      throw new RangeError(
        `WeightWriter.copy: ${label}: ${bytes.byteLength} bytes, expected ${byteSize(tensor)}`,
      );
    }
    this.#gpu.write(tensor, bytes);
    await this.#throttle(bytes.byteLength);
  }

  /**
   * Writes the order of a weight's columns.
   *
   * @throws TypeError when the weight's columns have none
   */
  orderColumns({ label, slices: [slice] }: WritableWeight, columns: Uint32Array): void {
    if (!slice?.columns)
      throw new TypeError(`WeightWriter.orderColumns: ${label} has its own order`);
    this.#gpu.write(slice.columns, columns);
  }

  /**
   * Packs rows `first ..< first + count` of a weight on the GPU.
   *
   * @param bytes the rows in the format `source`, which has one part
   * @throws RangeError when the rows are not the weight's, or `bytes` is not that long
   * @throws TypeError when the weight's format can't be packed
   * @throws DeviceLostError
   */
  async pack(
    weight: WritableWeight,
    first: number,
    count: number,
    bytes: Uint8Array,
    source: WeightFormat,
  ): Promise<void> {
    checkRows("pack", weight, first, count);
    const { label, format, shape } = weight;
    const rowBytes = (source.parts[0]?.rowWords?.(shape[1]) ?? NaN) * ELEMENT_BYTES;
    if (bytes.byteLength !== count * rowBytes) {
      throw new RangeError(
        `WeightWriter.pack: ${label}: ${bytes.byteLength} bytes, expected ${count * rowBytes}`,
      );
    }
    if (source === format) return this.copy(weight, 0, first, bytes);
    const pipeline = await this.#pipeline(weight, source);
    for (const { slice, row, begin, end } of pieces(weight, first, count, rowBytes)) {
      const rows = (end - begin) / rowBytes;
      this.#encode(pipeline, weight, slice, row, rows, bytes.subarray(begin, end));
      await this.#throttle(end - begin);
    }
  }

  /** Frees the staging buffers. The writer can be used again. */
  dispose(): void {
    for (const buffer of [this.#source, this.#rows]) if (buffer) this.#gpu.release(buffer);
    this.#source = undefined;
    this.#rows = undefined;
  }

  #pipeline({ label, format, shape }: WritableWeight, source: WeightFormat) {
    if (!format.packer) {
      throw new TypeError(
        `WeightWriter.pack: ${label} is in ${format.name}, which can't be packed from rows`,
      );
    }
    return this.#gpu.pipeline({
      name: `pack ${format.name} from ${source.name}`,
      code: source.code + format.packer.code,
      constants: { D: shape[1], ...source.constants, ...format.constants },
    });
  }

  /** Writes rows to the staging buffer and packs them from there, in one submission. */
  #encode(
    pipeline: GPUComputePipeline,
    { label, format, shape: [, D] }: WritableWeight,
    slice: WeightSlice,
    row: number,
    count: number,
    bytes: Uint8Array,
  ): void {
    const { device } = this.#gpu;
    const { source, rows } = this.#staging(bytes.byteLength);
    device.queue.writeBuffer(source, 0, bytes as Uint8Array<ArrayBuffer>);
    device.queue.writeBuffer(rows, 0, new Uint32Array([row, count]));
    const bind = (index: number, resources: readonly GPUBindingResource[]) =>
      device.createBindGroup({
        label,
        layout: pipeline.getBindGroupLayout(index),
        entries: resources.map((resource, binding) => ({ binding, resource })),
      });
    const parts = slice.parts.map((part) => ({ buffer: bufferOf(part) }));
    const units = count * (format.packer?.rowUnits(D) ?? 0);
    const encoder = device.createCommandEncoder({ label });
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bind(0, [{ buffer: rows }, ...parts]));
    pass.setBindGroup(1, bind(1, [{ buffer: source, size: bytes.byteLength }]));
    pass.dispatchWorkgroups(Math.ceil(units / LANES));
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  #staging(bytes: number): { source: GPUBuffer; rows: GPUBuffer } {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    const rows = (this.#rows ??= this.#gpu.buffer("weights staging rows", 8, usage));
    let source = this.#source;
    if (!source || source.size < bytes) {
      // Growing to twice the size at least, so that few buffers are made.
      const size = source ? Math.max(bytes, Math.min(STAGING_BYTES, 2 * bytes)) : bytes;
      if (source) this.#gpu.release(source);
      source = this.#source = this.#gpu.buffer("weights staging", size, usage);
    }
    return { source, rows };
  }

  /** Waits for the GPU when much is in flight, so that writes don't pile up in memory. */
  async #throttle(bytes: number): Promise<void> {
    this.#inFlightBytes += bytes;
    if (this.#inFlightBytes > IN_FLIGHT_BYTES) await this.finish();
  }

  /**
   * Resolves when the GPU has done everything that was written.
   *
   * @throws DeviceLostError
   */
  async finish(): Promise<void> {
    this.#inFlightBytes = 0;
    const { device } = this.#gpu;
    // Some browsers check whether work is done only when more is submitted.
    device.queue.submit([]);
    await device.queue.onSubmittedWorkDone();
    if (this.#gpu.lost) throw this.#gpu.lost;
  }
}

/** Consecutive rows of one slice, small enough to be staged, and their bytes `begin ..< end`. */
interface RowPiece {
  readonly slice: WeightSlice;
  /** Index of the first row in the slice. */
  readonly row: number;
  readonly begin: number;
  readonly end: number;
}

/** Cuts rows `first ..< first + count` of a weight at the slices' borders, and further. */
function* pieces(
  { slices }: WritableWeight,
  first: number,
  count: number,
  rowBytes: number,
): Generator<RowPiece> {
  const step = Math.max(1, Math.floor(STAGING_BYTES / rowBytes));
  for (const slice of slices) {
    const sliceBegin = Math.max(first, slice.first);
    const sliceEnd = Math.min(first + count, slice.first + slice.rows);
    for (let row = sliceBegin; row < sliceEnd; row += step) {
      const end = Math.min(row + step, sliceEnd);
      yield {
        slice,
        row: row - slice.first,
        begin: (row - first) * rowBytes,
        end: (end - first) * rowBytes,
      };
    }
  }
}

function checkRows(
  method: string,
  { label, shape: [O] }: WritableWeight,
  first: number,
  count: number,
): void {
  if (first < 0 || count < 0 || first + count > O) {
    throw new RangeError(
      `WeightWriter.${method}: ${label}: rows ${first} to ${first + count}, it has ${O}`,
    );
  }
}
