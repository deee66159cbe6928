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

/** The activations' names in config.json, and in `ops/`. */
const ACTIVATIONS = {
  gelu: "gelu",
  gelu_pytorch_tanh: "gelu_tanh",
  quick_gelu: "quick_gelu",
  silu: "silu",
} satisfies Readonly<Record<string, Activation>>;

/**
 * Schema of a `hidden_act`: only `name` is allowed, and it is the default.
 *
 * @returns a schema whose output is the name in `ops/`
 */
export function hiddenAct<N extends keyof typeof ACTIVATIONS>(name: N) {
  return z.pipe(
    z._default(z.literal(name), name as never),
    z.transform((): (typeof ACTIVATIONS)[N] => ACTIVATIONS[name]),
  );
}
