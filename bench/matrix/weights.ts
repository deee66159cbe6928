import type { Matrix } from "./cases.ts";

/** Weights that share a scale. */
export const BLOCK = 32;

/** A matrix as each side takes it. */
export interface Source {
  /** `[O, D]` */
  readonly values: Float32Array<ArrayBuffer>;
  /** 4-bit codes `[O, D/2]`, two to a byte, of values (code - 8) * scale. */
  readonly codes: Uint8Array;
  /** `[O, D/BLOCK]` */
  readonly scales: Float32Array;
}

/** @returns numbers in [-1, 1), the same each time */
export function randomValues(count: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  let state = 1;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return values;
}

/** @returns weights that both sides hold exactly, so that their products can be compared */
export function makeSource({ format, O, D }: Matrix): Source {
  const values = randomValues(O * D);
  if (format === "f32") return { values, codes: new Uint8Array(), scales: new Float32Array() };
  const codes = new Uint8Array((O * D) / 2);
  const scales = new Float32Array((O * D) / BLOCK).map((_, i) => 2 ** -(3 + (i % 3)));
  for (let i = 0; i < values.length; i++) {
    // Each block spans 0 to 15, so that our quantizer finds the very same codes.
    const code = i % BLOCK < 2 ? (i % BLOCK) * 15 : Math.floor((values[i]! + 1) * 8);
    codes[i >> 1]! |= code << ((i & 1) * 4);
    values[i] = (code - 8) * scales[Math.floor(i / BLOCK)]!;
  }
  return { values, codes, scales };
}
