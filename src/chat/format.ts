import type { GrammarSource } from "../grammar/source.ts";

export type { JsonSchema, TagFormat } from "../grammar/source.ts";

/** What an answer must match; the tokens that would leave it are never drawn. */
export type AnswerFormat = GrammarSource & {
  /** The field of the request that it was made of, for errors. Default "format". */
  readonly subject?: "format" | "tools";
};
