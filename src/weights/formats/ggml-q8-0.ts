import { fromF16, toF16 } from "../half-floats.ts";
import { ggmlFormat, ggmlReference } from "./ggml-blocks.ts";
import half from "./ggml-half.wgsl?raw";
import code from "./ggml-q8-0.wgsl?raw";
import scales from "./ggml-scales.wgsl?raw";

/** GGUF's blocks of 32 signed bytes and a scale: 8.5 bits per weight. */
export const ggmlQ80 = ggmlFormat(
  { type: "Q8_0", values: 32, bytes: 34, scaleAt: 0 },
  [half, scales, code].join("\n"),
);

export const ggmlQ80Reference = ggmlReference({
  decode(view) {
    const d = fromF16(view.getUint16(0, true));
    return Float32Array.from({ length: 32 }, (_, j) => d * view.getInt8(2 + j));
  },
  encode(values, view) {
    const bits = toF16(Math.max(...values.map(Math.abs)) / 127);
    const d = fromF16(bits) || 1;
    view.setUint16(0, bits, true);
    values.forEach((w, j) => view.setInt8(2 + j, Math.min(Math.max(Math.round(w / d), -127), 127)));
  },
});
