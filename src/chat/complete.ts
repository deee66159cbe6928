import type { AnswerOptions } from "./answer-types.ts";
import type { ChatAnswer } from "./answer-types.ts";
import { answerPrompt } from "./answer.ts";
import type { ChatModel } from "./model.ts";
import { RequestError } from "./request-error.ts";

/**
 * Continues a text as it is, without a chat template or images.
 *
 * @param prompt a text, or its token ids
 * @throws RequestError when the prompt can't be continued; the signal's reason when it is aborted
 */
export async function complete(
  model: ChatModel,
  prompt: string | readonly number[],
  options: AnswerOptions,
): Promise<ChatAnswer> {
  options.signal?.throwIfAborted();
  const { tokenizer, processor } = model;
  const ids =
    typeof prompt === "string" ? tokenizer.encode(prompt, { addSpecialTokens: true }) : prompt;
  const refuse = (message: string) => {
    throw new RequestError("invalid_value", "prompt", message);
  };
  if (ids.length === 0) refuse("expected at least one token, but the prompt has none.");
  if (ids.includes(processor.imageTokenId)) {
    refuse("the prompt contains the image token, but only chat completions accept images.");
  }
  const unknown = ids.find((id) => tokenizer.token(id) === undefined);
  if (unknown !== undefined) refuse(`the vocabulary has no token ${unknown}.`);
  const text = typeof prompt === "string" ? prompt : tokenizer.decode(ids, options);
  const tokenized = { text, ids, imageTokens: 0 };
  return answerPrompt(model, tokenized, [], options, "prompt", { continuesPrompt: true });
}
