import { fromF16, toF16 } from "../half-floats.ts";
import { ggmlFormat, ggmlReference } from "./ggml-blocks.ts";
import half from "./ggml-half.wgsl?raw";
import code from "./ggml-q6-k.wgsl?raw";
import scales from "./ggml-scales.wgsl?raw";

/** GGUF's blocks of 256 weights with six bits, and a scale for every 16: 6.6 bits per weight. */
export const ggmlQ6K = ggmlFormat(
  { type: "Q6_K", values: 256, bytes: 210, scaleAt: 208 },
  [half, scales, code].join("\n"),
);

/** Where the bits of weight k are: bytes and shifts. */
function place(k: number) {
  const [part, run, l] = [Math.floor(k / 128), Math.floor(k / 32) % 4, k % 32];
  return {
    low: part * 64 + (run % 2) * 32 + l,
    lowShift: run < 2 ? 0 : 4,
    high: 128 + part * 32 + l,
    highShift: 2 * run,
  };
}

export const ggmlQ6KReference = ggmlReference({
  decode(view) {
    const d = fromF16(view.getUint16(208, true));
    return Float32Array.from({ length: 256 }, (_, k) => {
      const { low, lowShift, high, highShift } = place(k);
      const nibble = (view.getUint8(low) >> lowShift) & 15;
      const q = nibble | (((view.getUint8(high) >> highShift) & 3) << 4);
      return d * view.getInt8(192 + (k >> 4)) * (q - 32);
    });
  },
  encode(values, view) {
    const runs = Array.from({ length: 16 }, (_, j) => values.subarray(16 * j, 16 * j + 16));
    const steps = runs.map((run) => Math.max(...run.map(Math.abs)) / 31);
    const bits = toF16(Math.max(...steps) / 127);
    const d = fromF16(bits);
    view.setUint16(208, bits, true);
    const scales = steps.map((step) => Math.min(Math.ceil(step / (d || 1)), 127));
    scales.forEach((scale, j) => view.setInt8(192 + j, scale));
    values.forEach((w, k) => {
      const { low, lowShift, high, highShift } = place(k);
      const q = Math.min(Math.max(Math.round(w / (d * scales[k >> 4]! || 1)) + 32, 0), 63);
      view.setUint8(low, view.getUint8(low) | ((q & 15) << lowShift));
      view.setUint8(high, view.getUint8(high) | ((q >> 4) << highShift));
    });
  },
});
