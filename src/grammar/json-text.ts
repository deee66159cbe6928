import {
  EMPTY,
  type Expression,
  type Range,
  chars,
  choice,
  complement,
  intersection,
  optional,
  repeat,
  sequence,
  text,
} from "./expression.ts";

// Every string is written in one way only, as JSON.stringify does: so a length counts characters,
// and two keys that differ as they are written differ as they are read.

const ESCAPED: readonly Range[] = [
  [0x00, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
];
const UNESCAPED = complement(ESCAPED);

/** The text of a JSON string, between its quotes, whose value matches. */
export function escaped(expression: Expression): Expression {
  switch (expression.kind) {
    case "text":
      return text(JSON.stringify(expression.text).slice(1, -1));
    case "chars":
      return characters(expression.ranges);
    case "sequence":
      return sequence(...expression.parts.map(escaped));
    case "choice":
      return choice(...expression.options.map(escaped));
    case "repeat":
      return repeat(escaped(expression.part), expression.min, expression.max);
    case "all": {
      const conditions = expression.conditions.map(({ expression, not }) => ({
        expression: escaped(expression),
        ...(not && { not }),
      }));
      return { kind: "all", conditions };
    }
    case "rule":
      throw new TypeError(`escaped: rule ${expression.name} in a string`);
  }
}

function characters(ranges: readonly Range[]): Expression {
  const escapes = intersection(ranges, ESCAPED).flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, i) => text(String.fromCharCode(first + i))),
  );
  return choice(chars(...intersection(ranges, UNESCAPED)), ...escapes.map(escaped));
}

export const ANY_CHARACTER: Expression = characters([[0, 0x10ffff]]);

/** A JSON string around what is between its quotes. */
export function quoted(content: Expression): Expression {
  return sequence(text('"'), content, text('"'));
}

/** What is between the quotes of any string but these. */
export function contentOtherThan(names: readonly string[]): Expression {
  if (names.length === 0) return repeat(ANY_CHARACTER, 0);
  const byFirst = new Map<string, string[]>();
  for (const [first, ...rest] of names.map((name) => [...name])) {
    if (first === undefined) continue;
    byFirst.set(first, [...(byFirst.get(first) ?? []), rest.join("")]);
  }
  const firsts = [...byFirst.keys()].map((c): Range => [c.codePointAt(0)!, c.codePointAt(0)!]);
  const others = sequence(characters(complement(firsts)), repeat(ANY_CHARACTER, 0));
  const alike = [...byFirst].map(([first, rests]) =>
    sequence(escaped(text(first)), contentOtherThan(rests)),
  );
  return choice(...(names.includes("") ? [] : [EMPTY]), others, ...alike);
}

/** Between a key and its value. A space is what models are used to; more would be waste. */
export const COLON: Expression = sequence(text(":"), optional(text(" ")));

/** Between entries and between elements. */
export const COMMA: Expression = sequence(text(","), optional(text(" ")));

/** A value as it is written without any space. */
export function literal(value: unknown): Expression {
  return text(JSON.stringify(value));
}
