import * as z from "zod/mini";
import { integerIn, numberIn } from "./validate.ts";

/** Half of a surrogate pair could only match within a character, which text never splits. */
const stopString = z.string().check(
  z.minLength(1),
  z.refine((stop) => !/\p{Surrogate}/u.test(stop), "whole characters"),
);

const PENALTY = "a number greater than 0, at most 2";
const repetitionPenalty = z.number(PENALTY).check(z.refine((n) => n > 0 && n <= 2, PENALTY));

/** A 64-bit integer. A JavaScript number rounds large ones. */
const SEED = `an integer from ${-(2n ** 63n)} to ${2n ** 63n - 1n}`;
const seed = z
  .number(SEED)
  .check(z.refine((n) => Number.isInteger(n) && Math.abs(n) <= 2 ** 63, SEED));

const logitBias = z
  .record(z.string(), numberIn(-100, 100))
  .check(
    z.refine((bias) => Object.keys(bias).every((id) => /^\d+$/.test(id)), "token ids as keys"),
  );

/** The fields that all requests for an answer share: `AnswerRequest`. */
export const answerFields = {
  model: z.nullish(z.string()),
  temperature: z.nullish(numberIn(0, 2)),
  top_p: z.nullish(numberIn(0, 1)),
  top_k: z.nullish(integerIn(-1)),
  min_p: z.nullish(numberIn(0, 1)),
  frequency_penalty: z.nullish(numberIn(-2, 2)),
  presence_penalty: z.nullish(numberIn(-2, 2)),
  repetition_penalty: z.nullish(repetitionPenalty),
  repeat_penalty: z.nullish(repetitionPenalty),
  logit_bias: z.nullish(logitBias),
  seed: z.nullish(seed),
  min_tokens: z.nullish(integerIn(0)),
  stop: z.nullish(z.union([stopString, z.array(stopString)])),
  stop_token_ids: z.nullish(z.array(integerIn(0))),
  ignore_eos: z.nullish(z.boolean()),
  no_stop_trim: z.nullish(z.boolean()),
  include_stop_str_in_output: z.nullish(z.boolean()),
  skip_special_tokens: z.nullish(z.boolean()),
  priority: z.nullish(z.int("an integer")),
  cache_salt: z.nullish(z.string()),
};
