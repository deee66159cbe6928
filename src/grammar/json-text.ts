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

// A string has exactly one spelling, that of JSON.stringify. So a length counts characters, and two
// keys with different spellings are different keys.

const ESCAPED: readonly Range[] = [
  [0x00, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
];
const UNESCAPED = complement(ESCAPED);

/** @returns the texts between the quotes of JSON strings whose values match an expression */
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
      throw new TypeError(`escaped: expected no rule in a string, got ${expression.name}`);
  }
}

function characters(ranges: readonly Range[]): Expression {
  const escapes = intersection(ranges, ESCAPED).flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, i) => text(String.fromCharCode(first + i))),
  );
  return choice(chars(...intersection(ranges, UNESCAPED)), ...escapes.map(escaped));
}

const ANY_CHARACTER: Expression = characters([[0, 0x10ffff]]);

/** Puts quotes around the content of a JSON string. */
export function quoted(content: Expression): Expression {
  return sequence(text('"'), content, text('"'));
}

/** @returns the contents of all JSON strings except `names` */
export function stringsOtherThan(names: readonly string[]): Expression {
  if (names.length === 0) return repeat(ANY_CHARACTER, 0);
  const byFirst = new Map<string, string[]>();
  for (const [first, ...rest] of names.map((name) => [...name])) {
    if (first === undefined) continue;
    byFirst.set(first, [...(byFirst.get(first) ?? []), rest.join("")]);
  }
  const firsts = [...byFirst.keys()].map((c): Range => [c.codePointAt(0)!, c.codePointAt(0)!]);
  const others = sequence(characters(complement(firsts)), repeat(ANY_CHARACTER, 0));
  const sameFirst = [...byFirst].map(([first, rests]) =>
    sequence(escaped(text(first)), stringsOtherThan(rests)),
  );
  return choice(...(names.includes("") ? [] : [EMPTY]), others, ...sameFirst);
}

/** Separates a key from its value. Models usually write one space, and more would waste tokens. */
export const COLON: Expression = sequence(text(":"), optional(text(" ")));

/** Separates properties and elements. */
export const COMMA: Expression = sequence(text(","), optional(text(" ")));

/** @returns the JSON of a value, without spaces */
export function literal(value: unknown): Expression {
  return text(JSON.stringify(value));
}
