/** Thrown for a schema, expression or grammar that can't be enforced. The message says where and why. */
export class GrammarError extends Error {
  override name = "GrammarError";
}
