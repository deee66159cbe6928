import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Activation } from "../ops/activation.ts";
import { hiddenWeights } from "./hidden-weights.ts";
import { mlp } from "./layers.ts";
import type { Weights } from "./model.ts";

/** The fields of config.json that `llavaProjector` reads. */
interface ProjectorConfig {
  readonly projector_hidden_act: Activation;
  readonly multimodal_projector_bias: boolean;
}

/**
 * The connector of LLaVA-1.5 and LLaVA-OneVision.
 *
 * @param w all of the checkpoint's weights
 * @param x `[P, vision D]`
 * @returns `[P, D]`
 */
export function llavaProjector(
  g: Graph,
  w: Weights,
  { projector_hidden_act, multimodal_projector_bias }: ProjectorConfig,
  x: Tensor,
): Tensor {
  const all = w.part("connector").under("model.multi_modal_projector");
  const projector = multimodal_projector_bias ? all : hiddenWeights(all, /\.bias$/);
  return mlp(g, projector, ["linear_1", "linear_2"], x, projector_hidden_act);
}
