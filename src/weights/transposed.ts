import type { Tensor } from "../gpu/tensor.ts";
import type { Weight } from "../gpu/weight.ts";
import code from "./f32-transposed.wgsl?raw";

/**
 * A matrix whose transpose is stored.
 *
 * @param stored `[D, O]` in f32, D a multiple of 4; one binding must hold it
 * @returns `[O, D]`
 * @throws TypeError when the shape does not fit
 */
export function transposed(stored: Tensor): Weight {
  const { label, shape } = stored;
  const [D, O] = shape as [number, number];
  if (shape.length !== 2 || D % 4 !== 0) {
    throw new TypeError(`transposed: ${label} is [${shape}], expected [a multiple of 4, O]`);
  }
  return {
    label,
    shape: [O, D],
    slices: [
      {
        first: 0,
        rows: O,
        // A row can't be cut: the weights of a column are stored together.
        format: { name: "f32", code, constants: { O }, blockSize: D },
        parts: [stored],
      },
    ],
  };
}
