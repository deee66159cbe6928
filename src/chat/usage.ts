import type { ImageLayout, Size } from "../models/model.ts";

/** What the model saw of an image. */
export interface SeenImage extends Size {
  /** Prompt tokens that stand for the image's embeddings. */
  readonly tokens: number;
}

/**
 * Token counts of a running answer. The counts of the prompt are final from the first delta on; the
 * others grow as the deltas are read. All choices are counted together, their prompt once.
 */
export interface AnswerUsage {
  readonly promptTokens: number;
  /** Prompt tokens that stand for image embeddings. */
  readonly imageTokens: number;
  /** The prompt's images, in message order. Their tokens add up to `imageTokens`. */
  readonly images: readonly SeenImage[];
  /** Prompt tokens whose keys and values were in the prefix cache. */
  readonly cachedTokens: number;
  /** Generated tokens, stop tokens included. */
  readonly completionTokens: number;
  /** Generated tokens of `<think>` blocks, the tags included. */
  readonly reasoningTokens: number;
}

/** Counts the tokens of one answer. */
export class UsageCounter implements AnswerUsage {
  readonly promptTokens: number;
  readonly imageTokens: number;
  readonly images: readonly SeenImage[];
  cachedTokens = 0;
  completionTokens = 0;
  reasoningTokens = 0;

  constructor(
    prompt: { readonly ids: readonly number[]; readonly imageTokens: number },
    images: readonly ImageLayout[],
  ) {
    this.promptTokens = prompt.ids.length;
    this.imageTokens = prompt.imageTokens;
    this.images = images.map((layout) => ({ ...seenSize(layout), tokens: layout.tokenCount }));
  }

  /** Counts one generated token. */
  countToken(isReasoning: boolean): void {
    this.completionTokens++;
    if (isReasoning) this.reasoningTokens++;
  }
}

/**
 * The size of an image as the model sees it: of the resizes that tiles are cut from, the part of the
 * largest that lies in tiles.
 */
function seenSize({ size, resizes, tiles }: ImageLayout): Size {
  const images = [
    { width: size[0], height: size[1] },
    ...resizes.map((resize) => resize.crop ?? resize),
  ];
  const parts = images.map(({ width, height }, image) => {
    const cut = tiles.filter(({ from }) => from === image);
    return {
      width: span(
        cut.map((tile) => [tile.x, tile.x + tile.width]),
        width,
      ),
      height: span(
        cut.map((tile) => [tile.y, tile.y + tile.height]),
        height,
      ),
    };
  });
  const area = ({ width, height }: Size) => width * height;
  return parts.reduce((largest, part) => (area(part) > area(largest) ? part : largest));
}

/** The length from the first start to the last end, as far as it is within 0 to `limit`. */
function span(ranges: readonly (readonly [start: number, end: number])[], limit: number): number {
  const start = Math.max(0, Math.min(...ranges.map(([first]) => first)));
  const end = Math.min(limit, Math.max(...ranges.map(([, last]) => last)));
  return Math.max(0, end - start);
}

/** The counts of several answers together. */
export function totalUsage(usages: readonly AnswerUsage[]): AnswerUsage {
  const total = (count: Exclude<keyof AnswerUsage, "images">) =>
    usages.reduce((sum, usage) => sum + usage[count], 0);
  return {
    promptTokens: total("promptTokens"),
    imageTokens: total("imageTokens"),
    images: usages.flatMap(({ images }) => images),
    cachedTokens: total("cachedTokens"),
    completionTokens: total("completionTokens"),
    reasoningTokens: total("reasoningTokens"),
  };
}
