import { fromF16 } from "./pack.ts";
import type { SourceType } from "./write.ts";

/**
 * @param bytes whole elements of `dtype`, little-endian
 * @returns their values, exactly
 */
export function toFloat32(bytes: Uint8Array, dtype: SourceType): Float32Array {
  // A copy, since an array of wider elements must begin at a multiple of their width.
  const { buffer } = bytes.slice();
  if (dtype === "F32") return new Float32Array(buffer);
  const halves = new Uint16Array(buffer);
  if (dtype === "F16") return Float32Array.from(halves, fromF16);
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = (halves[i] as number) << 16;
  return new Float32Array(words.buffer);
}
