import * as z from "zod/mini";
import type { Activation } from "../ops/activation.ts";
import type { CheckpointFiles } from "./model.ts";

/** Reads config.json by a family's schema. Throws Error naming the first field that is wrong. */
export function parseConfig<T extends z.ZodMiniType>(
  schema: T,
  files: CheckpointFiles,
): z.output<T> {
  return parse(schema, files["config.json"], "config.json");
}

/** Reads processor_config.json by a family's schema; there need be no such file. */
export function parseProcessor<T extends z.ZodMiniType>(
  schema: T,
  files: CheckpointFiles,
): z.output<T> {
  const name = "processor_config.json";
  return parse(schema, files[name] ?? {}, name);
}

/**
 * Throws Error when a setting that repeats another one differs from it.
 *
 * @param name file and field
 * @param value null or undefined: not given
 * @param expected what the other settings give
 */
export function checkSame(name: string, value: unknown, expected: unknown): void {
  if (value === undefined || value === null) return;
  const [given, wanted] = [value, expected].map((part) => JSON.stringify(part));
  if (given === wanted) return;
  throw new Error(`${name} is ${given}, expected ${wanted}, as the other settings say`);
}

/**
 * Reads a part of a checkpoint's settings by its schema.
 *
 * @param name the file that `part` is read from, which begins the error's message
 * @throws Error naming the first field that is wrong
 */
export function parse<T extends z.ZodMiniType>(
  schema: T,
  part: unknown,
  name: string,
): z.output<T> {
  const parsed = schema.safeParse(part);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues as [z.core.$ZodIssue];
  const { path } = issue;
  const value = path.reduce<unknown>(
    (all, key) => (all as Record<PropertyKey, unknown>)[key],
    part,
  );
  const found = value === undefined ? "missing" : JSON.stringify(value).slice(0, 100);
  const field = path.length > 0 ? `${name}: ${path.join(".")}` : name;
  throw new Error(`${field} is ${found}, expected ${expected(issue)}`);
}

/** What a schema expected where it found something else. */
function expected(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_value")
    return issue.values.map((v) => JSON.stringify(v)).join(" or ");
  if (issue.code === "invalid_type") return issue.expected;
  if (issue.code === "too_small") {
    return `${issue.inclusive ? "at least" : "more than"} ${issue.minimum}`;
  }
  if (issue.code === "too_big")
    return `${issue.inclusive ? "at most" : "less than"} ${issue.maximum}`;
  if (issue.code === "invalid_union") {
    return issue.errors.flatMap(([first]) => (first ? [expected(first)] : [])).join(" or ");
  }
  return "another value";
}

/** Schema of a positive integer. */
export const Positive = z.int().check(z.positive());

/** The activations' names in transformers' `ACT2FN`, and in `ops/`. Four names are one function. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_pytorch_tanh: "gelu_tanh",
  gelu_new: "gelu_tanh",
  gelu_fast: "gelu_tanh",
  gelu_accurate: "gelu_tanh",
  quick_gelu: "quick_gelu",
  relu: "relu",
  silu: "silu",
  swish: "silu",
};

/**
 * Schema of a field that names an activation, such as `hidden_act`.
 *
 * @param name the default
 * @returns a schema whose output is the name in `ops/`
 */
export function activation(name: string) {
  return z.pipe(
    z._default(z.literal(Object.keys(ACTIVATIONS)), name),
    z.transform((name) => ACTIVATIONS[name] as Activation),
  );
}

/**
 * Schema of a field that changes the result in the reference, and has one supported value here. That
 * is the default, and `null` means it.
 */
export function supportsOnly<const V extends z.core.util.Literal>(value: V) {
  return z.optional(z.nullable(z.literal(value)));
}
