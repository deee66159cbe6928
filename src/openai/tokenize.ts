import * as z from "zod/mini";
import { type Context, checkModel, loadedModel, readJson } from "./context.ts";
import { checkShape, integerIn } from "./validate.ts";
import type { Detokenization, Tokenization } from "./wire.ts";

export const tokenizeRequest = z.object({
  model: z.nullish(z.string()),
  prompt: z.union([z.string(), z.array(z.string())]),
  add_special_tokens: z.nullish(z.boolean()),
});

const tokenIds = z.array(integerIn(0));

export const detokenizeRequest = z.object({
  model: z.nullish(z.string()),
  tokens: z.union([tokenIds, z.array(tokenIds)]),
  skip_special_tokens: z.nullish(z.boolean()),
});

/** `POST tokenize`: the token ids of a text, without a chat template. */
export async function postTokenize(context: Context): Promise<Response> {
  const served = loadedModel(context);
  const body = checkShape(tokenizeRequest, await readJson(context.request));
  checkModel(body.model, served);
  const { tokenizer, generator } = served.chat;
  const addSpecialTokens = body.add_special_tokens ?? true;
  const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens });
  const max_model_len = generator.contextLength;
  if (typeof body.prompt === "string") {
    const tokens = encode(body.prompt);
    return Response.json({ tokens, count: tokens.length, max_model_len } satisfies Tokenization);
  }
  const tokens = body.prompt.map(encode);
  const count = tokens.map(({ length }) => length);
  return Response.json({ tokens, count, max_model_len } satisfies Tokenization);
}

/** `POST detokenize`: the text of token ids. Ids that are not in the vocabulary are left out. */
export async function postDetokenize(context: Context): Promise<Response> {
  const served = loadedModel(context);
  const body = checkShape(detokenizeRequest, await readJson(context.request));
  checkModel(body.model, served);
  const skipSpecialTokens = body.skip_special_tokens ?? true;
  const decode = (ids: readonly number[]) =>
    served.chat.tokenizer.decode(ids, { skipSpecialTokens });
  const { tokens } = body;
  const text = isBatch(tokens) ? tokens.map(decode) : decode(tokens);
  return Response.json({ text } satisfies Detokenization);
}

function isBatch(tokens: readonly number[] | readonly number[][]): tokens is readonly number[][] {
  return Array.isArray(tokens[0]);
}
