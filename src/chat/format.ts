import type { GrammarSource } from "../grammar/source.ts";

export type { JsonSchema, TagFormat } from "../grammar/source.ts";

/** What an answer must match; the tokens that would leave it are never drawn. */
export type AnswerFormat = GrammarSource & {
  /** The path of it in the request, for errors. Default "response_format". */
  readonly param?: string;
};
