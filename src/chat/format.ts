/** What an answer must match; the tokens that would leave it are never drawn. */
export type AnswerFormat =
  | { readonly type: "json_object" }
  | { readonly type: "json_schema"; readonly schema: JsonSchema }
  | { readonly type: "regex"; readonly pattern: string }
  /** A grammar in GBNF, from its rule `root` on. */
  | { readonly type: "ebnf"; readonly grammar: string };

export type JsonSchema = boolean | Readonly<Record<string, unknown>>;
