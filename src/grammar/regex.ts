import { type AST, RegExpParser, RegExpSyntaxError } from "@eslint-community/regexpp";
import {
  all,
  chars,
  choice,
  complement,
  EMPTY,
  type Expression,
  only,
  type Range,
  repeat,
  sequence,
  text,
} from "./expression.ts";
import { GrammarError } from "./grammar-error.ts";

const DIGIT: readonly Range[] = [[0x30, 0x39]];
const WORD: readonly Range[] = [...DIGIT, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const SPACE: readonly Range[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
];
/** White space beyond ASCII: `\S` excludes it, and `\s` does not write it. */
const WIDE_SPACE: readonly Range[] = [
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const LINE_END: readonly Range[] = [only("\n"), only("\r"), [0x2028, 0x2029]];

/** Any text. */
export const ANYTHING: Expression = repeat(chars([0, 0x10ffff]), 0);

/**
 * Compiles a regular expression in JavaScript's syntax with the flag `u`. Python's group names,
 * `(?P<name>`, and needless escapes are accepted, too.
 *
 * @param match whether the whole text must match, or any part of it, as in a JSON schema's `pattern`
 * @throws GrammarError for invalid syntax, and for look-behind, look-ahead that is not at the
 *   beginning, back references, word boundaries, flags and Unicode properties
 */
export function regexExpression(pattern: string, match: "whole" | "anywhere"): Expression {
  const around = match === "whole" ? EMPTY : ANYTHING;
  const { alternatives } = parse(pattern);
  return choice(...alternatives.map(({ elements }) => branch(elements, around, pattern)));
}

/** Groups within groups. */
const MOST_NESTING = 200;

function parse(pattern: string): AST.Pattern {
  if (nesting(pattern) > MOST_NESTING) {
    throw new GrammarError(`the expression has more than ${MOST_NESTING} groups within groups`);
  }
  const javaScript = pattern
    .replaceAll("(?P<", "(?<")
    .replace(/\\(.)/gsu, (escape, character: string) =>
      /[A-Za-z0-9$^.*+?()[\]{}|/\\]/.test(character) ? escape : codePointEscape(character),
    );
  try {
    const parser = new RegExpParser();
    return parser.parsePattern(javaScript, 0, javaScript.length, { unicode: true });
  } catch (cause) {
    if (!(cause instanceof RegExpSyntaxError)) throw cause;
    const reason = cause.message.split(": ").at(-1) as string;
    throw new GrammarError(`the expression ${pattern} is invalid: ${reason}`, { cause });
  }
}

/** @returns at least how many groups are within one another: brackets count even in a class */
function nesting(pattern: string): number {
  let [open, most] = [0, 0];
  for (const [part] of pattern.matchAll(/\\.|[()]/gsu)) {
    if (part === "(") most = Math.max(most, ++open);
    else if (part === ")") open = Math.max(0, open - 1);
  }
  return most;
}

function codePointEscape(character: string): string {
  return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
}

/**
 * Compiles an alternative that is in no group. Only there do anchors and look-ahead have a meaning.
 *
 * @param around the text that may come before and after a match without anchors
 */
function branch(elements: readonly AST.Element[], around: Expression, pattern: string): Expression {
  const start = countWhile(elements, (element) => isAnchor(element, "start"));
  const before = start > 0 ? EMPTY : around;
  let rest = elements.slice(start);
  const [ahead, notAhead]: [Expression[], Expression[]] = [[], []];
  if (before === EMPTY) {
    const assertions = rest.slice(0, countWhile(rest, isLookahead)) as AST.LookaheadAssertion[];
    for (const assertion of assertions) {
      (assertion.negate ? notAhead : ahead).push(lookahead(assertion, pattern));
    }
    rest = rest.slice(assertions.length);
  }
  const { inner, anchored } = withoutEndAnchors(rest);
  const matched = sequence(...inner.map((element) => elementExpression(element, pattern)));
  return all([sequence(before, matched, anchored ? EMPTY : around), ...ahead], notAhead);
}

/** @returns the texts that begin with a match of the look-ahead */
function lookahead({ alternatives }: AST.LookaheadAssertion, pattern: string): Expression {
  return choice(
    ...alternatives.map(({ elements }) => {
      const { inner, anchored } = withoutEndAnchors(elements);
      const found = sequence(...inner.map((element) => elementExpression(element, pattern)));
      return sequence(found, anchored ? EMPTY : ANYTHING);
    }),
  );
}

function elementExpression(element: AST.Element, pattern: string): Expression {
  switch (element.type) {
    case "Character":
      return text(String.fromCodePoint(element.value));
    case "CharacterSet":
      return chars(...setRanges(element, pattern));
    case "CharacterClass":
      return chars(...classRanges(element, pattern));
    case "Quantifier":
      // A lazy quantifier matches the same texts.
      return repeat(elementExpression(element.element, pattern), element.min, element.max);
    case "Group":
      if (element.modifiers) throw unsupported("flags", pattern);
      return group(element.alternatives, pattern);
    case "CapturingGroup":
      return group(element.alternatives, pattern);
    case "Assertion":
      throw unsupported(ASSERTIONS[element.kind], pattern);
    case "Backreference":
      throw unsupported("back references", pattern);
    case "ExpressionCharacterClass":
      throw unsupported("flags", pattern);
  }
}

/** The names of assertions at a position where they are not supported. */
const ASSERTIONS: Readonly<Record<AST.Assertion["kind"], string>> = {
  start: "'^' after its beginning",
  end: "'$' before its end",
  word: "word boundaries",
  lookahead: "look-ahead after its beginning",
  lookbehind: "look-behind",
};

function group(alternatives: readonly AST.Alternative[], pattern: string): Expression {
  return choice(
    ...alternatives.map(({ elements }) =>
      sequence(...elements.map((element) => elementExpression(element, pattern))),
    ),
  );
}

function classRanges({ elements, negate }: AST.CharacterClass, pattern: string): readonly Range[] {
  const ranges = elements.flatMap((element): readonly Range[] => {
    switch (element.type) {
      case "Character":
        return [[element.value, element.value]];
      case "CharacterClassRange":
        return [[element.min.value, element.max.value]];
      case "CharacterSet":
        return setRanges(element, pattern);
      default: // classes within classes need the flag v
        throw unsupported("flags", pattern);
    }
  });
  return negate ? complement(ranges) : ranges;
}

function setRanges(set: AST.CharacterSet, pattern: string): readonly Range[] {
  switch (set.kind) {
    case "any":
      return complement(LINE_END);
    case "digit":
      return set.negate ? complement(DIGIT) : DIGIT;
    case "word":
      return set.negate ? complement(WORD) : WORD;
    case "space":
      return set.negate ? complement([...SPACE, ...WIDE_SPACE]) : SPACE;
    case "property":
      throw unsupported("Unicode properties", pattern);
  }
}

function withoutEndAnchors(elements: readonly AST.Element[]): {
  readonly inner: readonly AST.Element[];
  readonly anchored: boolean;
} {
  const anchors = countWhile(elements.toReversed(), (element) => isAnchor(element, "end"));
  return { inner: elements.slice(0, elements.length - anchors), anchored: anchors > 0 };
}

function isAnchor(element: AST.Element, kind: "start" | "end"): boolean {
  return element.type === "Assertion" && element.kind === kind;
}

function isLookahead(element: AST.Element): boolean {
  return element.type === "Assertion" && element.kind === "lookahead";
}

/** @returns how many elements at the beginning of a list pass a test */
function countWhile<T>(list: readonly T[], test: (element: T) => boolean): number {
  const first = list.findIndex((element) => !test(element));
  return first < 0 ? list.length : first;
}

/** Thrown for a valid expression that can't be enforced. */
export class UnsupportedRegexError extends GrammarError {}

function unsupported(what: string, pattern: string): UnsupportedRegexError {
  return new UnsupportedRegexError(`the expression ${pattern} has ${what}, which is not supported`);
}
