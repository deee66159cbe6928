import type { FormatReference, QuantizationFormat } from "../format.ts";
import { fromF16, toF16 } from "../half-floats.ts";
import code from "./f16.wgsl?raw";
import packer from "./pack-f16.wgsl?raw";

/** IEEE half floats. Weights beyond 65504 become infinite; published bf16 checkpoints have none. */
export const f16: QuantizationFormat<"f16"> = {
  name: "f16",
  summary: "half the memory of f32",
  code,
  constants: {},
  blockSize: 4,
  rowMultiple: 4,
  parts: [{ name: "f16", dtype: "u32", rowWords: (D) => D / 2 }],
  packer: { code: packer, rowUnits: (D) => D / 4 },
  elements: {
    dtype: "F16",
    // A copy, because an array of halves must begin at a multiple of 2 bytes.
    toFloat32: (bytes) => Float32Array.from(new Uint16Array(bytes.slice().buffer), fromF16),
  },
};

export const f16Reference: FormatReference = {
  pack: (values) => [new Uint32Array(Uint16Array.from(values, toF16).buffer)],
  unpack: ([words = new Uint32Array()]) =>
    Float32Array.from(new Uint16Array(words.slice().buffer), fromF16),
};
