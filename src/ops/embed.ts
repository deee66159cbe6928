import shader from "../../shaders/embed.wgsl?raw";
import row from "../../shaders/lib/row.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Weight } from "../gpu/weight.ts";
import { fold } from "./grid.ts";
import { ROW_WORDS } from "./row.ts";

export interface EmbedOptions {
  /** Factor of the table's embeddings, but not of image embeddings. Default 1. */
  readonly scale?: number;
}

/**
 * The embedding of each row's token. A token >= V is row token - V of the image embeddings.
 *
 * @param rows `[T, ROW_WORDS]` u32
 * @param table `[V, D]`, D a multiple of 4
 * @param images `[N, D]`, image embeddings; may be left out when no token is >= V
 * @returns `[T, D]`
 * @throws TypeError when the shapes don't fit
 */
export function embed(
  g: Graph,
  rows: Tensor,
  table: Weight,
  images = noImages(g, table),
  { scale = 1 }: EmbedOptions = {},
): Tensor {
  const [T, words] = rows.shape as [number, number];
  const [V, D] = table.shape;
  if (words !== ROW_WORDS) {
    throw new TypeError(`embed: rows are [${rows.shape}], expected [T, ${ROW_WORDS}]`);
  }
  if (D % 4 !== 0) throw new TypeError(`embed: D is ${D}, expected a multiple of 4`);
  if (images.shape[1] !== D) {
    throw new TypeError(`embed: images are [${images.shape}], expected [N, ${D}]`);
  }
  const y = g.scratch([T, D], "embed");
  for (const { first, rows: count, format, parts, columns } of table.slices) {
    if (columns) throw new TypeError(`embed: the columns of ${table.label} are reordered`);
    const code = shader + row + format.code;
    const shape = { D, V, FIRST: first, SLICE_ROWS: count };
    const constants = { ...format.constants, ...shape, SCALE: scale };
    g.dispatch({ name: "embed", code, constants }, [[rows, images, y], parts], fold(T));
  }
  return y;
}

/** One row of zeros, to bind where there are no image embeddings: `[1, D]`. */
function noImages(g: Graph, { shape: [, D] }: Weight): Tensor {
  return g.gpu.constant(`no image embeddings of ${D}`, [1, D], "f32", () => new Float32Array(D));
}
