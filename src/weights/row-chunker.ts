import type { WriteRows } from "./format.ts";

/** Takes a tensor's bytes in pieces that are cut anywhere, and passes them on in whole rows. */
export class RowChunker {
  readonly #rowBytes: number;
  readonly #write: WriteRows;
  /** The beginning of a row whose end has not come yet. A row may be a whole tensor, so it is not kept. */
  #partial: Uint8Array | undefined;
  #partialBytes = 0;
  /** Rows passed on so far. */
  rows = 0;

  constructor(rowBytes: number, write: WriteRows) {
    this.#rowBytes = rowBytes;
    this.#write = write;
  }

  /** Begins again at the first row. */
  reset(): void {
    this.rows = this.#partialBytes = 0;
  }

  async push(bytes: Uint8Array): Promise<void> {
    const partial = this.#partial;
    if (partial) {
      const rest = bytes.subarray(0, this.#rowBytes - this.#partialBytes);
      partial.set(rest, this.#partialBytes);
      this.#partialBytes += rest.length;
      bytes = bytes.subarray(rest.length);
      if (this.#partialBytes < this.#rowBytes) return;
      this.#partial = undefined;
      await this.#write(this.rows++, 1, partial);
    }
    const count = Math.floor(bytes.length / this.#rowBytes);
    const whole = bytes.subarray(0, count * this.#rowBytes);
    const rest = bytes.subarray(whole.length);
    if (rest.length > 0) {
      this.#partial = new Uint8Array(this.#rowBytes);
      this.#partial.set(rest);
      this.#partialBytes = rest.length;
    }
    if (count === 0) return;
    const first = this.rows;
    this.rows += count;
    await this.#write(first, count, whole);
  }
}
