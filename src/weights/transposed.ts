import code from "../../shaders/weights/f32-transposed.wgsl?raw";
import type { Tensor } from "../gpu/tensor.ts";
import type { Weight } from "../gpu/weight.ts";

/**
 * A matrix that is stored the other way round.
 *
 * @param stored `[D, O]`, D a multiple of 4; one binding must hold it
 * @returns its transpose `[O, D]`
 * @throws TypeError when the shape does not fit
 */
export function transposed(stored: Tensor): Weight {
  const { label, shape } = stored;
  const [D, O] = shape as [number, number];
  if (shape.length !== 2 || D % 4 !== 0) {
    throw new TypeError(`transposed: ${label} is [${shape}], expected [a multiple of 4, O]`);
  }
  const slices = [{ first: 0, rows: O, parts: [stored] }];
  return { label, shape: [O, D], format: "f32", code, constants: { O }, slices };
}
