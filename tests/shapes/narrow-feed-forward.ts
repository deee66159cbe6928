import type { CheckpointShape } from "./checkpoint-shape.ts";

/** The matrices of a text model's feed-forward layers, as the families name them. */
const FEED_FORWARD =
  /^(?!.*(vision|visual)).*\.layers\.\d+\.(mlp|feed_forward)\.(gate_proj|up_proj|down_proj|w1|w2|w3)\.weight$/;
/** Those that read the feed-forward width. */
const READS_WIDTH = /(down_proj|w2)\.weight$/;

/** @returns the width of the feed-forward layers of a checkpoint's text model */
export function feedForwardWidth({ tensors }: CheckpointShape): number {
  const down = tensors.find(([name]) => FEED_FORWARD.test(name) && READS_WIDTH.test(name));
  if (!down) throw new Error("feedForwardWidth: the checkpoint has no feed-forward layer");
  return down[1][1] as number;
}

/**
 * The checkpoint with feed-forward layers of an eighth of their width. They are most of a text model's
 * weights, and a software adapter takes a minute for those of all published widths.
 */
export function narrowFeedForward(shape: CheckpointShape): CheckpointShape {
  const F = feedForwardWidth(shape) / 8;
  const config = shape.files["config.json"] as { text_config?: object };
  // Where the config does not say the width, as LFM2's, the weights do.
  const narrow = <T extends object>(text: T): T =>
    "intermediate_size" in text ? { ...text, intermediate_size: F } : text;
  const narrowed = config.text_config
    ? { ...config, text_config: narrow(config.text_config) }
    : narrow(config);
  return {
    ...shape,
    files: { ...shape.files, "config.json": narrowed },
    tensors: shape.tensors.map(([name, dimensions]) => {
      if (!FEED_FORWARD.test(name)) return [name, dimensions] as const;
      const [O = 0, D = 0] = dimensions;
      return [name, READS_WIDTH.test(name) ? [O, F] : [F, D]] as const;
    }),
  };
}
