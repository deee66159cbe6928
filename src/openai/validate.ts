import * as z from "zod/mini";
import { OpenAIError } from "./errors.ts";

const ROLES = ["system", "developer", "user", "assistant", "tool", "function"] as const;

/** An integer in a range. Errors state the range. */
export function integerIn(least: number, most = Infinity) {
  const range =
    most === Infinity ? `an integer of at least ${least}` : `an integer from ${least} to ${most}`;
  return z.int(range).check(z.refine((n) => n >= least && n <= most, range));
}

/** A number in a range. Errors state the range. */
export function numberIn(least: number, most: number) {
  const range = `a number from ${least} to ${most}`;
  return z.number(range).check(z.refine((n) => n >= least && n <= most, range));
}

const LENGTH = "an integer of at least 1, or -1";

/** The longest answer, in tokens. -1 becomes Infinity. */
export const answerLength = z.pipe(
  z.int(LENGTH).check(z.refine((n) => n >= 1 || n === -1, LENGTH)),
  z.transform((n) => (n === -1 ? Infinity : n)),
);

/**
 * Checks the shape of a body, or of a part of it.
 *
 * @param path the path of the part. Default: the whole body
 * @returns the part without unknown fields
 * @throws OpenAIError for the first mismatch, naming its path
 */
export function checkShape<T extends z.ZodMiniType>(
  shape: T,
  body: unknown,
  path: readonly PropertyKey[] = [],
): z.output<T> {
  // Suppresses zod's own messages, so that an issue only has the message of its schema.
  const result = shape.safeParse(valueAt(body, path), { error: () => "" });
  if (!result.success) throw issueError(result.error.issues[0] as Issue, body, path);
  return result.data;
}

type Issue = z.core.$ZodIssue;

/**
 * The error for an issue.
 *
 * @param path the part of the body that the issue's own path begins at
 */
function issueError(issue: Issue, body: unknown, path: readonly PropertyKey[] = []): OpenAIError {
  const whole = [...path, ...issue.path];
  const param = pathName(whole);
  const value = valueAt(body, whole);

  if (value === undefined) {
    const message = `Missing required parameter: '${param}'.`;
    return new OpenAIError(400, message, { code: "missing_required_parameter", param });
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const deepest = deepestIssue(issue.errors as Issue[][]);
    if (issue.message && !deepest?.path.length) return valueError(param, issue.message, value);
    if (deepest) return issueError(deepest, body, whole);
    const expected = issue.errors.flatMap((branch) => expectedOf(branch[0] as Issue));
    return typeError(param, [...new Set(expected)].join(" or "), value);
  }
  if (issue.code === "invalid_union" && typeof value === "string") {
    return whole.at(-1) === "type"
      ? partError(whole, value)
      : valueError(param, oneOf(ROLES), value);
  }
  if (issue.code === "invalid_type") {
    const expected = issue.message || expectedOf(issue).join();
    return typeof value === "number" && !Number.isFinite(value)
      ? valueError(param, expected, value) // 1e999 in JSON
      : typeError(param, expected, value);
  }
  if (issue.code === "invalid_union") return typeError(param, "string", value);
  return valueError(param, rangeOf(issue), value);
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => (at as never)?.[key as never], body);
}

/** The issue of the union branch that matched the most: it is probably the intended one. */
function deepestIssue(branches: readonly Issue[][]): Issue | undefined {
  const issues = branches.flatMap(([first]) => (first ? [first] : []));
  const meant = issues.filter(({ path, code }) => path.length > 0 || code !== "invalid_type");
  const along = ({ path }: Issue) => (typeof path[0] === "number" ? path[0] : 0);
  return meant.sort((a, b) => b.path.length - a.path.length || along(b) - along(a))[0];
}

function partError(path: readonly PropertyKey[], type: string): OpenAIError {
  const param = pathName(path.slice(0, -1));
  const message = `Content parts of type '${type}' are not supported: only 'text' and 'image_url' are.`;
  return new OpenAIError(400, message, { code: "unsupported_content_part", param });
}

function typeError(param: string, expected: string, value: unknown): OpenAIError {
  const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  const got = expected.startsWith("an integer") && type === "number" ? String(value) : type;
  const message = `Invalid type for '${param}': expected ${expected}, but got ${got} instead.`;
  return new OpenAIError(400, message, { code: "invalid_type", param });
}

export function valueError(param: string, expected: string, value: unknown): OpenAIError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  const got = typeof value === "object" ? "" : `, but got ${shown} instead`;
  const message = `Invalid value for '${param}': expected ${expected}${got}.`;
  return new OpenAIError(400, message, { code: "invalid_value", param });
}

function expectedOf(issue: Issue): string[] {
  if (issue.code !== "invalid_type") return [];
  return [issue.expected === "record" ? "object" : issue.expected];
}

function rangeOf(issue: Issue): string {
  if (issue.message) return issue.message;
  switch (issue.code) {
    case "too_small":
      return issue.origin === "array" || issue.origin === "string"
        ? "a value that is not empty"
        : `at least ${issue.minimum}`;
    case "too_big":
      return `at most ${issue.maximum}`;
    case "invalid_value":
      return oneOf(issue.values as readonly string[]);
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    case "invalid_format":
      return `text like ${issue.pattern ?? issue.format}`;
    default:
      return issue.code.replaceAll("_", " ");
  }
}

function oneOf(values: readonly string[]): string {
  return `one of ${values.map((value) => `'${value}'`).join(", ")}`;
}

/** `messages[0].content[1].image_url.url` */
export function pathName(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : `${i > 0 ? "." : ""}${String(key)}`))
    .join("");
}
