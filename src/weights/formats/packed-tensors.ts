import type { WeightFormat } from "../format.ts";
import type { TensorInfo } from "../safetensors.ts";

/** @returns the module of a weight's name, or undefined when the name is no weight's */
export function pathOf(name: string): string | undefined {
  return name.endsWith(".weight") ? name.slice(0, -".weight".length) : undefined;
}

/** Throws TypeError when a tensor has another shape, or another element type. */
export function expectShape(
  name: string,
  info: TensorInfo,
  shape: readonly number[],
  dtype = info.dtype,
): void {
  if (info.dtype === dtype && info.shape.join() === shape.join()) return;
  throw new TypeError(
    `${name} is ${info.dtype} [${info.shape}], expected ${dtype} [${shape}]: ` +
      `the tensors of a quantized matrix must fit together`,
  );
}

/**
 * The same function, which returns the same object for the same numbers and strings: rows can be
 * stacked whose formats are one object.
 */
export function memoized<A extends readonly (number | string | boolean)[], R>(
  make: (...args: A) => R,
): (...args: A) => R {
  const made = new Map<string, R>();
  return (...args) => {
    const key = args.join();
    if (!made.has(key)) made.set(key, make(...args));
    return made.get(key) as R;
  };
}

export type FindMatrix = NonNullable<WeightFormat["findMatrix"]>;

/** @returns little-endian words, whose bytes may begin anywhere */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.slice().buffer);
}

/**
 * @param bytes rows of 16-bit values
 * @returns the rows, each filled up to whole words
 */
export function paddedHalves(bytes: Uint8Array, rows: number): Uint8Array {
  const rowBytes = bytes.length / rows;
  if (rowBytes % 4 === 0) return bytes;
  const padded = new Uint8Array(rows * (rowBytes + 2));
  for (let row = 0; row < rows; row++) {
    padded.set(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), row * (rowBytes + 2));
  }
  return padded;
}
