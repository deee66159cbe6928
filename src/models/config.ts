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
 * @param by the names of those
 */
export function checkSame(name: string, value: unknown, expected: unknown, by: string): void {
  if (value === undefined || value === null) return;
  const [given, wanted] = [value, expected].map((part) => JSON.stringify(part));
  if (given === wanted) return;
  throw new Error(`${name} is ${given}, expected ${wanted}, by ${by}`);
}

/**
 * Throws Error naming a size in config.json that the weights don't have.
 *
 * @param part of config.json, such as "text_config"; "" for all of it
 * @param given a size that is null or undefined is the weights'
 */
export function checkSizes<Field extends string>(
  part: string,
  given: Readonly<Partial<Record<NoInfer<Field>, number | null | undefined>>>,
  stored: Readonly<Record<Field, number | undefined>>,
): void {
  for (const field of Object.keys(stored) as Field[]) {
    const [asked, found] = [given[field], stored[field]];
    if (asked === undefined || asked === null || asked === found) continue;
    throw new Error(
      `config.json: ${part ? `${part}.` : ""}${field} is ${asked}, but the weights have ${found}`,
    );
  }
}

/**
 * Throws Error naming the fields that give a number of channels that kernels don't take.
 *
 * @param fields such as "text_config.hidden_size"
 */
export function checkWidth(fields: string, channels: number): void {
  if (channels % 4 === 0) return;
  throw new Error(`config.json: ${fields} is ${channels}, supported: multiples of 4`);
}

/** Heads of queries and of keys, and the channels of each. */
interface Heads {
  readonly H: number;
  readonly K: number;
  readonly C: number;
}

/**
 * Throws Error naming the fields of `text_config` that give other heads than the weights have.
 *
 * @param rows of the stacked projections of queries, keys and values
 * @param mixed channels that the output's projection takes
 */
export function checkProjections({ H, K, C }: Heads, rows: number, mixed: number): void {
  if (H % K !== 0) {
    throw new Error(
      `config.json: text_config.num_attention_heads is ${H}, expected a multiple of ` +
        `num_key_value_heads, ${K}`,
    );
  }
  if (rows === (H + 2 * K) * C && mixed === H * C) return;
  throw new Error(
    `config.json: text_config: num_attention_heads ${H}, num_key_value_heads ${K} and head_dim ${C} ` +
      `don't give the channels of the weights: ${mixed} of queries, ${(rows - mixed) / 2} of keys`,
  );
}

/** The largest head that attention takes, in channels. */
const MAX_HEAD = 256;

/**
 * Throws Error naming the fields that give heads of a size that kernels don't take.
 *
 * @param fields such as "text_config.head_dim"
 * @param C channels of a head
 * @param multiple 8 where heads are rotated, or else 4
 */
export function checkHeads(fields: string, C: number, multiple: 4 | 8): void {
  if (C > 0 && C <= MAX_HEAD && C % multiple === 0) return;
  throw new Error(
    `config.json: ${fields} gives heads of ${C} channels, supported: multiples of ${multiple} ` +
      `up to ${MAX_HEAD}`,
  );
}

/** Schema of a size that the weights repeat. */
export const StoredSize = z.nullish(z.number());

/** Schema of the number of an image's channels. */
export const Channels = supportsOnly(3);

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
  if (issue.code === "invalid_format") return `text like ${issue.pattern ?? issue.format}`;
  if (issue.code === "not_multiple_of") return `a multiple of ${issue.divisor}`;
  if (issue.code === "unrecognized_keys") return `no field ${issue.keys.join(", ")}`;
  if (issue.code === "custom") return issue.message;
  const [inner] = issue.issues; // of a record's key, or a map's value
  return inner ? expected(inner) : issue.code;
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
