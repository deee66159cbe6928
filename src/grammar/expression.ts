/** Code points from `first` to `last`, both included. */
export type Range = readonly [first: number, last: number];

/** A set of texts. */
export type Expression =
  | { readonly kind: "text"; readonly text: string }
  /** One character; the ranges are sorted and don't touch. */
  | { readonly kind: "chars"; readonly ranges: readonly Range[] }
  | { readonly kind: "sequence"; readonly parts: readonly Expression[] }
  /** One of the options; without options, nothing matches. */
  | { readonly kind: "choice"; readonly options: readonly Expression[] }
  /** `max` is Infinity where there is no limit. */
  | {
      readonly kind: "repeat";
      readonly part: Expression;
      readonly min: number;
      readonly max: number;
    }
  | { readonly kind: "rule"; readonly name: string }
  /** All conditions hold. They use no rules, and at least one is not a negation. */
  | { readonly kind: "all"; readonly conditions: readonly Condition[] };

/** The condition that a text matches or, with `not`, that it does not. */
export interface Condition {
  readonly expression: Expression;
  readonly not?: boolean;
}

/** An expression, and all rules that it uses. */
export interface Grammar {
  readonly root: Expression;
  readonly rules: ReadonlyMap<string, Expression>;
}

/** Matches the empty text. */
export const EMPTY: Expression = { kind: "text", text: "" };

/** Matches no text. */
export const NOTHING: Expression = { kind: "choice", options: [] };

export function text(text: string): Expression {
  return { kind: "text", text };
}

/** @param ranges in any order; they may overlap */
export function chars(...ranges: Range[]): Expression {
  return ranges.length === 0 ? NOTHING : { kind: "chars", ranges: union(ranges) };
}

export function sequence(...parts: Expression[]): Expression {
  if (parts.includes(NOTHING)) return NOTHING;
  const kept = parts.filter((part) => part !== EMPTY);
  if (kept.length === 0) return EMPTY;
  return kept.length === 1 ? (kept[0] as Expression) : { kind: "sequence", parts: kept };
}

export function choice(...options: Expression[]): Expression {
  const kept = options.filter((option) => option !== NOTHING);
  if (kept.length === 0) return NOTHING;
  return kept.length === 1 ? (kept[0] as Expression) : { kind: "choice", options: kept };
}

export function repeat(part: Expression, min: number, max = Infinity): Expression {
  if (min > max) return NOTHING;
  if (max === 0 || part === EMPTY) return EMPTY;
  if (part === NOTHING) return min === 0 ? EMPTY : NOTHING;
  return min === 1 && max === 1 ? part : { kind: "repeat", part, min, max };
}

export function optional(part: Expression): Expression {
  return repeat(part, 0, 1);
}

/** Matches what all `expressions` and none of the `others` match. None of them may use rules. */
export function all(
  expressions: readonly Expression[],
  others: readonly Expression[] = [],
): Expression {
  const none = others.filter((expression) => expression !== NOTHING);
  const [first] = expressions;
  if (first && expressions.length === 1 && none.length === 0) return first;
  if (expressions.includes(NOTHING)) return NOTHING;
  const conditions = [
    ...expressions.map((expression) => ({ expression })),
    ...none.map((expression) => ({ expression, not: true })),
  ];
  return { kind: "all", conditions };
}

export function rule(name: string): Expression {
  return { kind: "rule", name };
}

/** Sorts ranges and merges those that touch. */
export function union(ranges: readonly Range[]): Range[] {
  const merged: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const before = merged.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

/** @returns all characters outside the ranges; surrogates don't count as characters */
export function complement(ranges: readonly Range[]): Range[] {
  const others: Range[] = [];
  let from = 0;
  for (const [first, last] of union([...ranges, [0xd800, 0xdfff]])) {
    if (from < first) others.push([from, first - 1]);
    from = last + 1;
  }
  if (from <= 0x10ffff) others.push([from, 0x10ffff]);
  return others;
}

export function intersection(a: readonly Range[], b: readonly Range[]): Range[] {
  return complement([...complement(a), ...complement(b)]);
}

/** @returns the range of one character */
export function only(character: string): Range {
  const code = character.codePointAt(0) as number;
  return [code, code];
}

/** Collects a grammar's rules. */
export class Rules {
  readonly all = new Map<string, Expression>();
  #count = 0;

  /** Adds a rule whose body may use the rule itself. */
  add(hint: string, build: (self: Expression) => Expression): Expression {
    const name = this.reserve(hint);
    const self = rule(name);
    this.all.set(name, build(self));
    return self;
  }

  /** Reserves a name that no other rule has. The caller then sets the rule in `all`. */
  reserve(hint: string): string {
    return `${hint}#${++this.#count}`;
  }
}
