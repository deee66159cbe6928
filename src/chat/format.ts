import type { GrammarSource } from "../grammar/source.ts";

export type { JsonSchema, TagFormat } from "../grammar/source.ts";

/** A format that an answer must match. Tokens that would violate it are never sampled. */
export type AnswerFormat = GrammarSource & {
  /** The field of the request that asks for it, for errors. Default "format". */
  readonly subject?: "format" | "tools";
};
