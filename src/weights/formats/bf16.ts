import type { FormatReference, WeightFormat } from "../format.ts";
import { fromBf16, toBf16 } from "../half-floats.ts";
import code from "./bf16.wgsl?raw";
import packer from "./pack-bf16.wgsl?raw";

/** bfloat16: the upper halves of 32-bit floats. */
export const bf16: WeightFormat<"bf16"> = {
  name: "bf16",
  code,
  constants: {},
  blockSize: 4,
  rowMultiple: 4,
  parts: [{ name: "bf16", dtype: "u32", rowWords: (D) => D / 2 }],
  packer: { code: packer, rowUnits: (D) => D / 4 },
  elements: { dtype: "BF16", toFloat32 },
};

function toFloat32(bytes: Uint8Array): Float32Array {
  // A copy, because an array of halves must begin at a multiple of 2 bytes.
  const halves = new Uint16Array(bytes.slice().buffer);
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = (halves[i] as number) << 16;
  return new Float32Array(words.buffer);
}

export const bf16Reference: FormatReference = {
  pack: (values) => [new Uint32Array(Uint16Array.from(values, toBf16).buffer)],
  unpack: ([words = new Uint32Array()]) =>
    Float32Array.from(new Uint16Array(words.slice().buffer), fromBf16),
};
