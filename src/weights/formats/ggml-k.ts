import { fromF16, toF16 } from "../half-floats.ts";
import { type BlockCodec, ggmlFormat, ggmlReference } from "./ggml-blocks.ts";
import half from "./ggml-half.wgsl?raw";
import kernel from "./ggml-k.wgsl?raw";

const code = [half, kernel].join("\n");

/** GGUF's blocks of 256 weights with four bits, and two levels of scales: 4.5 bits per weight. */
export const ggmlQ4K = ggmlFormat({ type: "Q4_K", values: 256, bytes: 144 }, code, {
  BLOCK_WORDS: 36,
});

/** GGUF's blocks of 256 weights with five bits, and two levels of scales: 5.5 bits per weight. */
export const ggmlQ5K = ggmlFormat({ type: "Q5_K", values: 256, bytes: 176 }, code, {
  BLOCK_WORDS: 44,
});

export const ggmlQ4KReference = ggmlReference(codec(false));
export const ggmlQ5KReference = ggmlReference(codec(true));

/** Scales and minima of the eight sub-blocks, from bytes 4 to 15 of a block. */
function sixBits(view: DataView): { scales: number[]; minima: number[] } {
  const byte = (i: number) => view.getUint8(4 + i);
  const four = [0, 1, 2, 3];
  return {
    scales: [
      ...four.map((j) => byte(j) & 63),
      ...four.map((j) => (byte(j + 8) & 15) | ((byte(j) >> 6) << 4)),
    ],
    minima: [
      ...four.map((j) => byte(j + 4) & 63),
      ...four.map((j) => (byte(j + 8) >> 4) | ((byte(j + 4) >> 6) << 4)),
    ],
  };
}

/** @param fifth whether codes have five bits */
function codec(fifth: boolean): BlockCodec {
  const codesAt = fifth ? 48 : 16;
  const levels = fifth ? 32 : 16;
  return {
    decode(view) {
      const d = fromF16(view.getUint16(0, true));
      const m = fromF16(view.getUint16(2, true));
      const { scales, minima } = sixBits(view);
      return Float32Array.from({ length: 256 }, (_, k) => {
        const [j, l] = [Math.floor(k / 32), k % 32];
        const low = (view.getUint8(codesAt + (j >> 1) * 32 + l) >> ((j & 1) * 4)) & 15;
        const q = low | (fifth ? ((view.getUint8(16 + l) >> j) & 1) << 4 : 0);
        return d * scales[j]! * q - m * minima[j]!;
      });
    },
    encode(values, view) {
      const subs = Array.from({ length: 8 }, (_, j) => values.subarray(32 * j, 32 * j + 32));
      const lows = subs.map((sub) => -Math.min(0, ...sub));
      const steps = subs.map((sub, j) => (Math.max(...sub) + lows[j]!) / (levels - 1));
      const [dBits, mBits] = [steps, lows].map((all) => toF16(Math.max(...all) / 63)) as [
        number,
        number,
      ];
      const [d, m] = [fromF16(dBits), fromF16(mBits)];
      const six = (all: number[], unit: number) =>
        all.map((value) => Math.min(Math.round(value / (unit || 1)), 63));
      const [scales, minima] = [six(steps, d), six(lows, m)];
      view.setUint16(0, dBits, true);
      view.setUint16(2, mBits, true);
      for (let j = 0; j < 4; j++) {
        view.setUint8(4 + j, scales[j]! | ((scales[j + 4]! >> 4) << 6));
        view.setUint8(8 + j, minima[j]! | ((minima[j + 4]! >> 4) << 6));
        view.setUint8(12 + j, (scales[j + 4]! & 15) | ((minima[j + 4]! & 15) << 4));
      }
      values.forEach((w, k) => {
        const [j, l] = [Math.floor(k / 32), k % 32];
        const steps = (w + m * minima[j]!) / (d * scales[j]! || 1);
        const q = Math.min(Math.max(Math.round(steps), 0), levels - 1);
        const at = codesAt + (j >> 1) * 32 + l;
        view.setUint8(at, view.getUint8(at) | ((q & 15) << ((j & 1) * 4)));
        if (fifth) view.setUint8(16 + l, view.getUint8(16 + l) | ((q >> 4) << j));
      });
    },
  };
}
