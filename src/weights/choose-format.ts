import { formatFits, type WeightFormat } from "./format.ts";
import { f32 } from "./formats/f32.ts";
import { q4 } from "./formats/q4.ts";
import { q6 } from "./formats/q6.ts";
import { q8 } from "./formats/q8.ts";
import { type FormatName, WEIGHT_FORMATS } from "./formats/registry.ts";
import type { ModelPart, WeightRole } from "./weights.ts";

/**
 * How "auto" stores matrices, the widest first.
 *
 * - `stored`: as in the checkpoint.
 * - `q8`: all in q8.
 * - `q6`: the text model in q6. Token embeddings that only look rows up are in q4: each token has the
 *   error of one row, which no product adds to others.
 * - `mixed`: the text model in q4; its head, and of half of its layers the matrices whose errors count
 *   most, in q6.
 * - `q4`: the text model in q4.
 *
 * The tower and the connector keep 8 bits: with 4, small models no longer see what is in an image.
 */
export const AUTO_LEVELS = ["stored", "q8", "q6", "mixed", "q4"] as const;
export type AutoLevel = (typeof AUTO_LEVELS)[number];

/** One format for all matrices, or a level of "auto". */
export type Quantization = FormatName | { readonly auto: AutoLevel };

/** Up to this size "auto" keeps a checkpoint as it is stored. */
const LOSSLESS_BYTES = 64 * 2 ** 20;

/** @returns the widest level that makes sense for a checkpoint of this size */
export function widestLevel(checkpointBytes: number): AutoLevel {
  return checkpointBytes <= LOSSLESS_BYTES ? "stored" : "q8";
}

/** What decides the format of a matrix. */
export interface MatrixInfo {
  readonly part: ModelPart;
  readonly role: WeightRole;
  /** The name of its tensor in the checkpoint. */
  readonly name: string;
  /** The number of layers that the matrix's stack has. */
  readonly layers: number;
  /** Whether the token embeddings are the head, too. */
  readonly isTied: boolean;
  /** The format that keeps the matrix as the checkpoint stores it. */
  readonly stored: WeightFormat;
  /** Weights in a row. */
  readonly D: number;
  /** Rows will be cut to this many weights. Default: they stay whole. */
  readonly cut?: number | undefined;
}

/**
 * Chooses the format of a matrix on the GPU: the one that was asked for, where it can hold rows of
 * `D` weights that can be cut, else its fallback, else the stored one, else f32.
 */
export function chooseFormat(quantization: Quantization, matrix: MatrixInfo): WeightFormat {
  const { stored, D, cut = 0 } = matrix;
  const holds = (one: WeightFormat) => formatFits(one, D) && cut % one.blockSize === 0;
  // A packed matrix is kept as it is: packing it anew would add a second error to its first.
  if (!stored.elements) return stored;
  let format: WeightFormat | undefined =
    typeof quantization === "string"
      ? WEIGHT_FORMATS.find(({ name }) => name === quantization)
      : automatic(quantization.auto, matrix);
  while (format && !holds(format)) format = format.fallback;
  return format ?? (holds(stored) ? stored : f32);
}

function automatic(level: AutoLevel, matrix: MatrixInfo): WeightFormat {
  const { stored, part, role, name, layers, isTied } = matrix;
  if (level === "stored") return stored;
  if (level === "q8" || part !== "text") return q8;
  if (level === "q4" || (role === "embedding" && !isTied)) return q4;
  return level === "q6" || role !== "layer" || isSensitive(name, layers) ? q6 : q4;
}

/**
 * The choice of llama.cpp's Q4_K_M: values and the last product of the feed-forward part, in the first
 * and the last eighth of the layers, and in every third between.
 */
function isSensitive(name: string, layers: number): boolean {
  const matrix = /\b(?:layers|blk)\.(\d+)\..*\b(?:v_proj|down_proj|w2|attn_v|ffn_down)\.weight$/;
  const [, number] = matrix.exec(name) ?? [];
  if (number === undefined) return false;
  const eighth = Math.floor(layers / 8);
  const i = Number(number);
  return i < eighth || i >= Math.floor((7 * layers) / 8) || (i - eighth) % 3 === 2;
}

/** @returns whether no tensor is a head of its own, by the names of all tensors */
export function isHeadTied(all: readonly string[]): boolean {
  return !all.some((name) => /\blm_head\.|^output\.weight$/.test(name));
}

/**
 * @param all the names of all tensors
 * @returns the layers of the stack that a tensor is in, by its name; 0 outside of one
 */
export function layerCounter(all: readonly string[]): (name: string) => number {
  const counts = new Map<string, number>();
  return (name) => {
    const [prefix] = /^.*?\b(?:layers|blk)\.(?=\d)/.exec(name) ?? [];
    if (prefix === undefined) return 0;
    let count = counts.get(prefix);
    if (count === undefined) {
      const own = all.filter((other) => other.startsWith(prefix));
      count = own.reduce((most, other) => {
        return Math.max(most, parseInt(other.slice(prefix.length)) + 1);
      }, 0);
      counts.set(prefix, count);
    }
    return count;
  };
}
