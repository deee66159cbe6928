import type { AnswerOptions } from "./answer-types.ts";
import type { ChatAnswer } from "./answer-types.ts";
import { answerPrompt } from "./answer.ts";
import type { ChatModel } from "./model.ts";
import { RequestError } from "./request-error.ts";

/**
 * The continuation of a text as it is, without a chat template or images.
 *
 * @param prompt a text, or its token ids
 * @param param the path of the prompt in the request, for errors
 * @throws RequestError when the prompt can't be continued, the signal's reason when aborted
 */
export function complete(
  model: ChatModel,
  prompt: string | readonly number[],
  options: AnswerOptions,
  param: string,
): ChatAnswer {
  options.signal?.throwIfAborted();
  const { tokenizer, processor } = model;
  const ids =
    typeof prompt === "string" ? tokenizer.encode(prompt, { addSpecialTokens: true }) : prompt;
  const refuse = (message: string) => {
    throw new RequestError("invalid_value", param, `Invalid value for '${param}': ${message}.`);
  };
  if (ids.length === 0) refuse("expected something that has tokens");
  if (ids.includes(processor.imageTokenId)) {
    refuse("it has the token of an image, and only chat completions take images");
  }
  const unknown = ids.find((id) => tokenizer.token(id) === undefined);
  if (unknown !== undefined) refuse(`the vocabulary has no token ${unknown}`);
  const text = typeof prompt === "string" ? prompt : tokenizer.decode(ids, options);
  return answerPrompt(model, { text, ids, imageTokens: 0 }, [], options, param, {
    continuesPrompt: true,
  });
}
