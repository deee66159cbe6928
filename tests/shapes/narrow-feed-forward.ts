import type { CheckpointShape } from "./checkpoint-shape.ts";

/** A tensor of a feed-forward layer, and whether it is one of a tower, as the families name them. */
const FEED_FORWARD = /\.(layers?|blocks)\.\d+\.(mlp|feed_forward)\./;
const TOWER = /vision|visual/;
/** The matrix that reads the feed-forward width. */
const READS_WIDTH = /\.(down_proj|w2|fc2)\.weight$/;

/** @returns the width of the feed-forward layers of a checkpoint's text model */
export function feedForwardWidth(shape: CheckpointShape): number {
  return widthOf(shape, false);
}

function widthOf({ tensors }: CheckpointShape, ofTower: boolean): number {
  const last = tensors.find(
    ([name]) => FEED_FORWARD.test(name) && READS_WIDTH.test(name) && TOWER.test(name) === ofTower,
  );
  if (!last) throw new Error("feedForwardWidth: the checkpoint has no feed-forward layer");
  return last[1][1] as number;
}

/**
 * The checkpoint with narrow feed-forward layers. They are most of a model's weights, and a software
 * adapter takes minutes for those of all published widths. The remainder of a width stays.
 */
export function narrowFeedForward(shape: CheckpointShape): CheckpointShape {
  const widths = { text: widthOf(shape, false), tower: widthOf(shape, true) };
  return {
    ...shape,
    files: { ...shape.files, "config.json": narrowed(shape.files["config.json"] as object) },
    tensors: shape.tensors.map(([name, dimensions]) => {
      if (!FEED_FORWARD.test(name)) return [name, dimensions] as const;
      const width = TOWER.test(name) ? widths.tower : widths.text;
      return [name, dimensions.map((n) => (n === width ? narrow(n) : n))] as const;
    }),
  };
}

/** Keeps whether a width is a multiple of a tile. */
function narrow(width: number): number {
  return 256 + (width % 256);
}

/** Narrows each `intermediate_size`. Where the config does not say the width, the weights do. */
function narrowed(config: object): object {
  const entries = Object.entries(config).map(([key, value]: [string, unknown]) => {
    if (key === "intermediate_size") return [key, narrow(value as number)];
    return [key, key.endsWith("_config") ? narrowed(value as object) : value];
  });
  return Object.fromEntries(entries) as object;
}
