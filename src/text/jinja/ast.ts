/** An expression of a template. `line` is the template's line, for errors. */
export type JinjaExpression =
  | { readonly kind: "constant"; readonly line: number; readonly value: Constant }
  | { readonly kind: "name"; readonly line: number; readonly name: string }
  | {
      readonly kind: "list" | "tuple";
      readonly line: number;
      readonly items: readonly JinjaExpression[];
    }
  | {
      readonly kind: "dict";
      readonly line: number;
      readonly entries: readonly (readonly [JinjaExpression, JinjaExpression])[];
    }
  | {
      readonly kind: "attribute";
      readonly line: number;
      readonly object: JinjaExpression;
      readonly name: string;
    }
  | {
      readonly kind: "item";
      readonly line: number;
      readonly object: JinjaExpression;
      readonly key: JinjaExpression;
    }
  | {
      readonly kind: "slice";
      readonly line: number;
      readonly start: JinjaExpression | undefined;
      readonly stop: JinjaExpression | undefined;
      readonly step: JinjaExpression | undefined;
    }
  | {
      readonly kind: "call";
      readonly line: number;
      readonly callee: JinjaExpression;
      readonly args: Arguments;
    }
  | {
      readonly kind: "filter";
      readonly line: number;
      /** Undefined in `{% filter %}` and `{% set x | filter %}`, where a body is the input. */
      readonly input: JinjaExpression | undefined;
      readonly name: string;
      readonly args: Arguments;
    }
  | {
      readonly kind: "test";
      readonly line: number;
      readonly input: JinjaExpression;
      readonly name: string;
      readonly args: Arguments;
    }
  | { readonly kind: "not"; readonly line: number; readonly operand: JinjaExpression }
  | {
      readonly kind: "sign";
      readonly line: number;
      readonly sign: "+" | "-";
      readonly operand: JinjaExpression;
    }
  | {
      readonly kind: "arithmetic";
      readonly line: number;
      readonly operator: ArithmeticOperator;
      readonly left: JinjaExpression;
      readonly right: JinjaExpression;
    }
  | {
      readonly kind: "logic";
      readonly line: number;
      readonly operator: "and" | "or";
      readonly left: JinjaExpression;
      readonly right: JinjaExpression;
    }
  | {
      readonly kind: "compare";
      readonly line: number;
      readonly first: JinjaExpression;
      readonly rest: readonly (readonly [CompareOperator, JinjaExpression])[];
    }
  | { readonly kind: "concat"; readonly line: number; readonly parts: readonly JinjaExpression[] }
  | {
      readonly kind: "conditional";
      readonly line: number;
      readonly test: JinjaExpression;
      readonly then: JinjaExpression;
      readonly otherwise: JinjaExpression | undefined;
    };

/** Literals: an int is a bigint, a float is a number. */
export type Constant = string | bigint | number | boolean | null;

export type ArithmeticOperator = "+" | "-" | "*" | "/" | "//" | "%" | "**";
export type CompareOperator = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";

/** The arguments of a call, filter or test. */
export interface Arguments {
  readonly positional: readonly JinjaExpression[];
  readonly named: readonly (readonly [string, JinjaExpression])[];
  /** `*args` and `**kwargs` */
  readonly spread?: JinjaExpression | undefined;
  readonly spreadNamed?: JinjaExpression | undefined;
}

/** The target of an assignment. */
export type Target =
  | { readonly kind: "name"; readonly line: number; readonly name: string }
  | { readonly kind: "tuple"; readonly line: number; readonly items: readonly Target[] }
  /** `ns.name`, where ns is a namespace */
  | {
      readonly kind: "attribute";
      readonly line: number;
      readonly object: string;
      readonly name: string;
    };

export interface Parameter {
  readonly name: string;
  readonly fallback: JinjaExpression | undefined;
}

export type JinjaStatement =
  | { readonly kind: "text"; readonly line: number; readonly text: string }
  | { readonly kind: "output"; readonly line: number; readonly expression: JinjaExpression }
  | {
      readonly kind: "if";
      readonly line: number;
      readonly test: JinjaExpression;
      readonly body: readonly JinjaStatement[];
      readonly otherwise: readonly JinjaStatement[];
    }
  | {
      readonly kind: "for";
      readonly line: number;
      readonly target: Target;
      readonly items: JinjaExpression;
      readonly test: JinjaExpression | undefined;
      readonly recursive: boolean;
      readonly body: readonly JinjaStatement[];
      readonly otherwise: readonly JinjaStatement[];
    }
  | {
      readonly kind: "set";
      readonly line: number;
      readonly target: Target;
      readonly value: JinjaExpression;
    }
  | {
      readonly kind: "setBlock";
      readonly line: number;
      readonly target: Target;
      readonly filter: JinjaExpression | undefined;
      readonly body: readonly JinjaStatement[];
    }
  | {
      readonly kind: "macro";
      readonly line: number;
      readonly name: string;
      readonly parameters: readonly Parameter[];
      readonly body: readonly JinjaStatement[];
    }
  | {
      readonly kind: "callBlock";
      readonly line: number;
      readonly parameters: readonly Parameter[];
      readonly call: JinjaExpression;
      readonly body: readonly JinjaStatement[];
    }
  | {
      readonly kind: "filterBlock";
      readonly line: number;
      readonly filter: JinjaExpression;
      readonly body: readonly JinjaStatement[];
    }
  | {
      readonly kind: "with";
      readonly line: number;
      readonly assignments: readonly (readonly [Target, JinjaExpression])[];
      readonly body: readonly JinjaStatement[];
    }
  /** `{% block %}` without inheritance, `{% generation %}`: the body in a scope of its own */
  | { readonly kind: "scope"; readonly line: number; readonly body: readonly JinjaStatement[] }
  | { readonly kind: "break" | "continue"; readonly line: number };
