import type { TensorInfo } from "../safetensors.ts";

/** Types of 16-bit floats, as safetensors spells them. */
export type HalfType = "BF16" | "F16";

/**
 * @returns the type of a tensor of 16-bit floats
 * @throws TypeError when it has other elements
 */
export function halfType(name: string, { dtype }: TensorInfo): HalfType {
  if (dtype === "BF16" || dtype === "F16") return dtype;
  throw new TypeError(`${name} is ${dtype}, expected BF16 or F16`);
}

/**
 * @param bytes little-endian 16-bit values; they may begin anywhere
 * @returns the bits of each
 */
export function halvesOf(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(bytes.slice().buffer);
}
