import { parseEbnf } from "./ebnf.ts";
import {
  EMPTY,
  type Expression,
  NOTHING,
  type Rules,
  chars,
  choice,
  complement,
  only,
  repeat,
  sequence,
  text,
} from "./expression.ts";
import { GrammarError } from "./grammar-error.ts";
import { schemaExpression } from "./json-schema.ts";
import { ANYTHING, regexExpression } from "./regex.ts";
import type { Tag, TagFormat } from "./source.ts";

/**
 * Compiles a text of several parts, such as JSON between tags.
 *
 * @param rules receives the expression's rules
 * @throws GrammarError for a part that can't be enforced
 */
export function tagsExpression(format: TagFormat, rules: Rules): Expression {
  switch (format.type) {
    case "const_string":
      return text(format.value);
    case "json_schema":
      return schemaExpression(format.json_schema, rules, format.strict);
    case "regex":
      return regexExpression(format.pattern, "whole");
    case "grammar":
      return parseEbnf(format.grammar, rules);
    case "any_text":
      return ANYTHING;
    case "sequence":
      return sequence(...format.elements.map((element) => tagsExpression(element, rules)));
    case "or":
      return choice(...format.elements.map((element) => tagsExpression(element, rules)));
    case "tag":
      return restOfTag(format, 0, rules);
    case "triggered_tags":
      return triggeredTags(format, rules);
    case "tags_with_separator": {
      const tag = choice(...format.tags.map((tag) => tagsExpression(tag, rules)));
      const more = repeat(sequence(text(format.separator), tag), 0);
      const tags = format.stop_after_first ? tag : sequence(tag, more);
      return format.at_least_one ? tags : choice(EMPTY, tags);
    }
    default: {
      const { type } = format as { type?: unknown };
      throw new GrammarError(`'${String(type)}' is not a type of structural tag`);
    }
  }
}

/** @returns the rest of a tag after the first `from` characters of its `begin` */
function restOfTag({ begin, content, end }: Tag, from: number, rules: Rules): Expression {
  const opening = text(begin.slice(from));
  // Free text ends at the first occurrence of the tag's end.
  return content.type === "any_text" && end !== ""
    ? sequence(opening, textUntil([end], rules, { mayEnd: false, then: () => EMPTY }))
    : sequence(opening, tagsExpression(content, rules), text(end));
}

function triggeredTags(
  format: Extract<TagFormat, { type: "triggered_tags" }>,
  rules: Rules,
): Expression {
  const { triggers, tags, at_least_one = false, stop_after_first = false } = format;
  const free = (mayEnd: boolean, after: Expression): Expression =>
    textUntil(triggers, rules, {
      mayEnd,
      then: (trigger) =>
        choice(
          ...tags
            .filter(({ begin }) => begin.startsWith(trigger))
            .map((tag) => sequence(restOfTag(tag, trigger.length, rules), after)),
        ),
    });
  const later = stop_after_first ? EMPTY : rules.add("text", (self) => free(true, self));
  return free(!at_least_one, later);
}

/**
 * Matches text up to the first occurrence of one of `stops`, the stop itself, and `then(stop)`.
 *
 * @param mayEnd whether the text may also end without a stop
 * @param then the expression that follows a stop
 */
function textUntil(
  stops: readonly string[],
  rules: Rules,
  { mayEnd, then }: { mayEnd: boolean; then: (stop: string) => Expression },
): Expression {
  if (stops.includes("")) throw new GrammarError("a trigger is empty");
  const letters = [...new Set(stops.flatMap((stop) => [...stop]))];
  const others = chars(...complement(letters.map(only)));
  const begun = new Map<string, Expression>();
  // Keyed by the longest suffix of the text that is a prefix of a stop.
  const after = (end: string): Expression => {
    const known = begun.get(end);
    if (known) return known;
    return rules.add("text", (self) => {
      begun.set(end, self);
      const options = letters.map((letter) => {
        const longer = end + letter;
        const stop = stops.find((stop) => longer.endsWith(stop));
        if (stop !== undefined) return sequence(text(letter), then(stop));
        return sequence(text(letter), after(longestSuffix(longer, stops)));
      });
      const none = sequence(others, after(""));
      return choice(mayEnd ? EMPTY : NOTHING, none, ...options);
    });
  };
  return after("");
}

/** @returns the longest suffix of a text that is a prefix of one of `strings` */
function longestSuffix(text: string, strings: readonly string[]): string {
  for (let from = 0; from < text.length; from++) {
    const end = text.slice(from);
    if (strings.some((string) => string.startsWith(end))) return end;
  }
  return "";
}
