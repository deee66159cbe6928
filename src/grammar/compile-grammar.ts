import { parseEbnf } from "./ebnf.ts";
import { type Grammar, Rules } from "./expression.ts";
import { GrammarError } from "./grammar-error.ts";
import { schemaExpression } from "./json-schema.ts";
import { type Program, program } from "./program.ts";
import { regexExpression } from "./regex.ts";
import type { GrammarSource } from "./source.ts";
import { tagsExpression } from "./tags.ts";

/**
 * Compiles a source. Only this needs the parsers of schemas, expressions and grammars, so a page
 * loads it when the first request has a format.
 *
 * @throws GrammarError for a source that can't be enforced, or that no text matches
 */
export function compileGrammar(source: GrammarSource): Program {
  try {
    return program(grammarOf(source));
  } catch (cause) {
    // The parsers bound the nesting of what they read. A long chain of rules may still be too deep.
    if (!(cause instanceof RangeError)) throw cause;
    throw new GrammarError("it is too large", { cause });
  }
}

function grammarOf(source: GrammarSource): Grammar {
  const rules = new Rules();
  switch (source.type) {
    case "json_object":
      return { root: schemaExpression({ type: "object" }, rules), rules: rules.all };
    case "json_schema":
      return { root: schemaExpression(source.schema, rules, source.strict), rules: rules.all };
    case "regex":
      return { root: regexExpression(source.pattern, "whole"), rules: rules.all };
    case "ebnf":
      return { root: parseEbnf(source.grammar, rules), rules: rules.all };
    case "structural_tag":
      return { root: tagsExpression(source.format, rules), rules: rules.all };
  }
}
