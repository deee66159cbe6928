/**
 * A format that a text must match, as requests write it. With `strict`, the default, what a schema says
 * and can't be enforced is an error. Otherwise it is ignored.
 */
export type GrammarSource =
  /** Any JSON object. */
  | { readonly type: "json_object" }
  | { readonly type: "json_schema"; readonly schema: JsonSchema; readonly strict?: boolean }
  /** An expression that the whole text must match. */
  | { readonly type: "regex"; readonly pattern: string }
  /** A grammar in GBNF with a rule `root`. */
  | { readonly type: "ebnf"; readonly grammar: string }
  | { readonly type: "structural_tag"; readonly format: TagFormat };

export type JsonSchema = boolean | Readonly<Record<string, unknown>>;

/** A text of several parts, such as JSON between tags; the form is XGrammar's structural tags. */
export type TagFormat =
  | { readonly type: "const_string"; readonly value: string }
  | { readonly type: "json_schema"; readonly json_schema: JsonSchema; readonly strict?: boolean }
  | { readonly type: "regex"; readonly pattern: string }
  | { readonly type: "grammar"; readonly grammar: string }
  /** Any text; within a tag, up to the tag's end. */
  | { readonly type: "any_text" }
  | { readonly type: "sequence"; readonly elements: readonly TagFormat[] }
  | { readonly type: "or"; readonly elements: readonly TagFormat[] }
  | Tag
  /** Free text. After a trigger, a tag that begins with the trigger must follow. */
  | {
      readonly type: "triggered_tags";
      readonly triggers: readonly string[];
      readonly tags: readonly Tag[];
      readonly at_least_one?: boolean;
      readonly stop_after_first?: boolean;
    }
  | {
      readonly type: "tags_with_separator";
      readonly tags: readonly Tag[];
      readonly separator: string;
      readonly at_least_one?: boolean;
      readonly stop_after_first?: boolean;
    };

export interface Tag {
  readonly type: "tag";
  readonly begin: string;
  readonly content: TagFormat;
  readonly end: string;
}
