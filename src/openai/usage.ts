import type { AnswerUsage } from "../chat/usage.ts";
import type { ResponseUsage } from "./responses-wire.ts";
import type { ImageUsage, Usage } from "./wire.ts";

/** What the model saw of each image; nothing without images. */
function imagesSeen({ images }: AnswerUsage): { images?: ImageUsage[] } {
  return images.length > 0 ? { images: images.map((image) => ({ ...image })) } : {};
}

/** Token counts as both completion endpoints report them. */
export function completionUsage(counts: AnswerUsage): Usage {
  const { promptTokens, imageTokens, cachedTokens, completionTokens, reasoningTokens } = counts;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: {
      cached_tokens: cachedTokens,
      image_tokens: imageTokens,
      ...imagesSeen(counts),
    },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
    reasoning_tokens: reasoningTokens,
  };
}

/** Token counts as the Responses API reports them. */
export function responseUsage(counts: AnswerUsage): ResponseUsage {
  const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = counts;
  return {
    input_tokens: promptTokens,
    input_tokens_details: {
      cached_tokens: cachedTokens,
      cache_write_tokens: 0,
      ...imagesSeen(counts),
    },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: promptTokens + completionTokens,
  };
}
