import { fromF16, toF16 } from "../half-floats.ts";
import affine from "./ggml-32-affine.wgsl?raw";
import symmetric from "./ggml-32-symmetric.wgsl?raw";
import code from "./ggml-32.wgsl?raw";
import { type BlockCodec, ggmlFormat, ggmlReference } from "./ggml-blocks.ts";
import half from "./ggml-half.wgsl?raw";
import scales from "./ggml-scales.wgsl?raw";

const apart = [half, scales, symmetric, code].join("\n");
const inside = [half, affine, code].join("\n");

/** No block has a word at this place. */
const NONE = 99;

/** GGUF's blocks of 32 weights with four bits and a scale: 4.5 bits per weight. */
export const ggmlQ40 = ggmlFormat({ type: "Q4_0", values: 32, bytes: 18, scaleAt: 0 }, apart, {
  ...{ BLOCK_WORDS: 4, HIGH_WORD: NONE, CODE_WORD: 0, ZERO: 8 },
});

/** GGUF's blocks of 32 weights with four bits, a scale and a least value: 5 bits per weight. */
export const ggmlQ41 = ggmlFormat({ type: "Q4_1", values: 32, bytes: 20 }, inside, {
  ...{ BLOCK_WORDS: 5, HIGH_WORD: NONE, CODE_WORD: 1, ZERO: 0 },
});

/** GGUF's blocks of 32 weights with five bits and a scale: 5.5 bits per weight. */
export const ggmlQ50 = ggmlFormat({ type: "Q5_0", values: 32, bytes: 22, scaleAt: 0 }, apart, {
  ...{ BLOCK_WORDS: 5, HIGH_WORD: 0, CODE_WORD: 1, ZERO: 16 },
});

/** GGUF's blocks of 32 weights with five bits, a scale and a least value: 6 bits per weight. */
export const ggmlQ51 = ggmlFormat({ type: "Q5_1", values: 32, bytes: 24 }, inside, {
  ...{ BLOCK_WORDS: 6, HIGH_WORD: 1, CODE_WORD: 2, ZERO: 0 },
});

export const ggmlQ40Reference = ggmlReference(codec({ fifth: false, least: false }));
export const ggmlQ41Reference = ggmlReference(codec({ fifth: false, least: true }));
export const ggmlQ50Reference = ggmlReference(codec({ fifth: true, least: false }));
export const ggmlQ51Reference = ggmlReference(codec({ fifth: true, least: true }));

/**
 * @param fifth whether codes have five bits
 * @param least whether a block has a least value; if not, the middle code is 0
 */
function codec({ fifth, least }: { fifth: boolean; least: boolean }): BlockCodec {
  const levels = fifth ? 32 : 16;
  const highAt = least ? 4 : 2;
  const codesAt = fifth ? highAt + 4 : highAt;
  return {
    decode(view) {
      const d = fromF16(view.getUint16(0, true));
      const m = least ? fromF16(view.getUint16(2, true)) : 0;
      const high = fifth ? view.getUint32(highAt, true) : 0;
      return Float32Array.from({ length: 32 }, (_, j) => {
        const low = (view.getUint8(codesAt + (j % 16)) >> (j < 16 ? 0 : 4)) & 15;
        const q = low | (((high >>> j) & 1) << 4);
        return least ? d * q + m : d * (q - levels / 2);
      });
    },
    encode(values, view) {
      const low = Math.min(...values);
      const far = values.reduce((most, w) => (Math.abs(w) > Math.abs(most) ? w : most), 0);
      const bits = toF16(least ? (Math.max(...values) - low) / (levels - 1) : far / -(levels / 2));
      const d = fromF16(bits);
      view.setUint16(0, bits, true);
      if (least) view.setUint16(2, toF16(low), true);
      const m = least ? fromF16(toF16(low)) : -(levels / 2) * d;
      let high = 0;
      values.forEach((w, j) => {
        const q = Math.min(Math.max(Math.round((w - m) / (d || 1)), 0), levels - 1);
        high |= (q >> 4) << j;
        const at = codesAt + (j % 16);
        view.setUint8(at, view.getUint8(at) | ((q & 15) << (j < 16 ? 0 : 4)));
      });
      if (fifth) view.setUint32(highAt, high, true);
    },
  };
}
