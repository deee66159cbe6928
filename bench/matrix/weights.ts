import type { Matrix } from "./cases.ts";

/** Number of weights that share a scale. */
export const BLOCK = 32;

/** Bits of the codes that onnxruntime-web reads. It has none of 6. */
export const CODE_BITS = { q8: 8, q6: 8, q4: 4 } as const;

/** A matrix in the formats of both sides. */
export interface Source {
  /** `[O, D]` */
  readonly values: Float32Array<ArrayBuffer>;
  /** Codes `[O, D]` of values (code - half their number) * scale; 4-bit ones two to a byte. */
  readonly codes: Uint8Array;
  /** `[O, D/BLOCK]` */
  readonly scales: Float32Array;
}

/** @returns pseudo-random numbers in [-1, 1) */
export function randomValues(count: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  let state = 1;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return values;
}

/**
 * @returns weights whose products can be compared. In q4 both sides represent them exactly. In q8 our
 *   scales are of 64 weights, and in q6 our codes are narrower, so the values differ slightly.
 */
export function makeSource({ format, O, D }: Matrix): Source {
  const values = randomValues(O * D);
  if (format === "f32") return { values, codes: new Uint8Array(), scales: new Float32Array() };
  const bits = CODE_BITS[format];
  const most = 2 ** bits - 1;
  const codes = new Uint8Array((O * D * bits) / 8);
  const scales = new Float32Array((O * D) / BLOCK).map((_, i) => 2 ** -(bits - 1 + (i % 3)));
  for (let i = 0; i < values.length; i++) {
    // Each block uses all codes, so that our quantizer finds the same codes where it can.
    const code =
      i % BLOCK < 2 ? (i % BLOCK) * most : Math.floor(((values[i]! + 1) / 2) * (most + 1));
    const bit = i * bits;
    codes[bit >> 3]! |= code << (bit & 7);
    values[i] = (code - (most + 1) / 2) * scales[Math.floor(i / BLOCK)]!;
  }
  return { values, codes, scales };
}
