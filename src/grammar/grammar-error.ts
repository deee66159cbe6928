/** Thrown for a schema, an expression or a grammar that can't be honoured; says where and why. */
export class GrammarError extends Error {
  override name = "GrammarError";
}
