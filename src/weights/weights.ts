import type { Tensor } from "../gpu/tensor.ts";
import type { Weight } from "../gpu/weight.ts";

/** The part of a model that a tensor belongs to. */
export type ModelPart = "text" | "vision" | "connector";

/**
 * What a matrix does: `layer` multiplies activations inside the model, `embedding` turns inputs
 * (token ids, patches, positions) into hidden states, and `head` turns hidden states into logits.
 * "auto" quantization tells them apart.
 */
export type WeightRole = "layer" | "embedding" | "head";

/** One tensor name, or several whose rows are stacked. */
export type TensorNames = string | readonly string[];

/**
 * The checkpoint's tensors, as a model asks for them while it is recorded. The same names always
 * give the same object. A matrix is `[O, D]`; dimensions after the first are flattened to D.
 *
 * `matrix`, `embedding`, `head` and `vector` throw Error when the checkpoint lacks a name, and
 * TypeError when shapes or element types do not fit.
 */
export interface Weights {
  /** The same weights, with `prefix.` before every name. */
  under(prefix: string): Weights;
  /** The same weights, which count as this part of the model. The default is `text`. */
  part(part: ModelPart): Weights;
  has(name: string): boolean;
  /**
   * A layer's matrix `[O, D]`, in the format chosen at load.
   *
   * @param D the width of the layer's input. Some packed formats store matrices without their shape.
   */
  matrix(names: TensorNames, D?: number): Weight;
  /**
   * A matrix whose rows are looked up, such as the token embeddings `[V, D]`, or that embeds
   * patches `[O, patch values]`.
   *
   * @param cut weights of the rows that the model will cut the rows to; no block of weights reaches over
   */
  embedding(names: TensorNames, cut?: number): Weight;
  /** The language-model head `[V, D]`. A tied head has the name of the token embeddings. */
  head(names: TensorNames): Weight;
  /** A tensor in f32, in its own shape. Several names are concatenated to one vector. */
  vector(names: TensorNames): Tensor;
}
