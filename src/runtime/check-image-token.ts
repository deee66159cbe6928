import type { ImageProcessor } from "../models/model.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/**
 * Throws Error when the token that config.json names for image rows is not the one that the processor
 * writes into prompts.
 */
export function checkImageToken(processor: ImageProcessor, tokenizer: Tokenizer): void {
  const { imageTokenId, patchSize, merge } = processor;
  const edge = 16 * patchSize * merge;
  const { prompt, tokenCount } = processor.layout(edge, edge, "auto");
  const ids = tokenizer.encode(prompt, { addSpecialTokens: false });
  if (ids.filter((id) => id === imageTokenId).length === tokenCount) return;
  throw new Error(
    `config.json: image_token_id or image_token_index is ${imageTokenId}, which is not in the text ` +
      `of an image (image_token) ${tokenCount} times, ${JSON.stringify(prompt.slice(0, 40))}…`,
  );
}
