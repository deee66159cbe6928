import type { FormatReference, QuantizationFormat } from "../format.ts";
import code from "./f32.wgsl?raw";
import packer from "./pack-f32.wgsl?raw";

/** 32-bit floats. */
export const f32: QuantizationFormat<"f32"> = {
  name: "f32",
  summary: "exact, most memory",
  code,
  constants: {},
  blockSize: 4,
  rowMultiple: 4,
  parts: [{ name: "f32", dtype: "f32", rowWords: (D) => D }],
  packer: { code: packer, rowUnits: (D) => D / 4 },
  elements: {
    dtype: "F32",
    // A copy, because an array of floats must begin at a multiple of 4 bytes.
    toFloat32: (bytes) => new Float32Array(bytes.slice().buffer),
  },
};

export const f32Reference: FormatReference = {
  pack: (values) => [new Uint32Array(values.slice().buffer)],
  unpack: ([words = new Uint32Array()]) => new Float32Array(words.slice().buffer),
};
