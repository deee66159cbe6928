import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Weight } from "../gpu/weight.ts";
import type { Activation } from "../ops/activation.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { type LinearOptions, linear } from "../ops/linear.ts";
import type { RmsNorm } from "../ops/rms-norm.ts";
import { checkWidth } from "./config.ts";
import type { Weights } from "./model.ts";

/** Options of a layer whose bias is in the checkpoint. */
type DenseOptions = Omit<LinearOptions, "bias">;

/**
 * A layer's RMSNorm.
 *
 * @param name of the norm, whose `weight` is among the layer's weights
 */
export function rms(w: Weights, name: string, eps: number, offset: 0 | 1 = 0): RmsNorm {
  return { weight: w.vector(`${name}.weight`), eps, offset };
}

/**
 * A layer norm.
 *
 * @param w with the norm's `weight` and `bias`
 * @param x `[T, D]`
 * @returns `[T, D]`
 */
export function norm(g: Graph, w: Weights, x: Tensor, eps: number): Tensor {
  return layerNorm(g, x, w.vector("weight"), w.vector("bias"), eps);
}

/**
 * A linear layer, with a bias where the checkpoint has one.
 *
 * @param w with the layer's `weight` `[O, D]` and perhaps `bias` `[O]`
 * @param x `[T, D]`
 * @returns `[T, O]`
 */
export function dense(g: Graph, w: Weights, x: Tensor, options: DenseOptions = {}): Tensor {
  return affine(g, w.matrix("weight", x.shape.at(-1)), w, ["bias"], x, options);
}

/**
 * Linear layers that read the same input, as one matrix product. Either all of them have a bias or
 * none has.
 *
 * @param w with `<name>.weight` `[O, D]` of each layer
 * @param x `[T, D]`
 * @returns `[T, sum of O]`, the layers' outputs side by side
 */
export function stackedDense(
  g: Graph,
  w: Weights,
  names: readonly string[],
  x: Tensor,
  options: DenseOptions = {},
): Tensor {
  const matrix = w.matrix(
    names.map((name) => `${name}.weight`),
    x.shape.at(-1),
  );
  const biases = names.map((name) => `${name}.bias`);
  return affine(g, matrix, w, biases, x, options);
}

/**
 * The layer that turns patches into hidden states.
 *
 * @param w with the layer's `weight` `[D, patch values]` and perhaps `bias` `[D]`
 * @param patches `[P, patch values]`
 * @returns `[P, D]`
 */
export function embedPatches(
  g: Graph,
  w: Weights,
  patches: Tensor,
  options: DenseOptions = {},
): Tensor {
  const matrix = w.embedding("weight");
  const [given, stored] = [patches.shape[1], matrix.shape[1]];
  if (given !== stored) {
    throw new Error(
      `config.json: vision_config.patch_size gives patches of ${given} values, ` +
        `but the weights have ${stored}`,
    );
  }
  checkWidth("vision_config.hidden_size (or embed_dim)", matrix.shape[0]);
  return affine(g, matrix, w, ["bias"], patches, options);
}

function affine(
  g: Graph,
  matrix: Weight,
  w: Weights,
  biases: readonly string[],
  x: Tensor,
  options: DenseOptions,
): Tensor {
  const hasBias = biases.every((name) => w.has(name));
  return linear(g, x, matrix, hasBias ? { ...options, bias: w.vector(biases) } : options);
}

/**
 * Two linear layers with an activation between them: the projector of many families.
 *
 * @param names of the layers, such as "linear_1" and "linear_2"
 * @param x `[T, D]`
 * @param activation default: the exact GELU
 * @returns `[T, O]`
 */
export function mlp(
  g: Graph,
  w: Weights,
  [first, second]: readonly [string, string],
  x: Tensor,
  activation: Activation = "gelu",
): Tensor {
  return dense(g, w.under(second), dense(g, w.under(first), x, { activation }));
}

/** What is done before and after a `gatedMlp`. */
export interface MlpOptions extends Pick<LinearOptions, "norm" | "outputNorm"> {
  /** `[T, D]`, which the result is added to. */
  readonly residual?: Tensor | undefined;
}

/**
 * The MLP with a gate (arXiv 2002.05202): down_proj(activation(gate_proj(x)) * up_proj(x)).
 *
 * @param x `[T, D]`
 * @returns `[T, D]`
 */
export function gatedMlp(
  g: Graph,
  w: Weights,
  x: Tensor,
  activation: Activation,
  { norm, ...options }: MlpOptions = {},
): Tensor {
  const gates = { norm, gated: activation };
  const gated = stackedDense(g, w, ["gate_proj", "up_proj"], x, gates); // [T, F]
  checkWidth("intermediate_size", gated.shape[1] as number);
  return dense(g, w.under("down_proj"), gated, options);
}

/** The sizes of a `gatedMlp`, by its weights. */
export function mlpSizes(w: Weights): { readonly intermediate_size: number } {
  return { intermediate_size: w.matrix("down_proj.weight").shape[1] };
}
